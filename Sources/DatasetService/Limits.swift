import Resources

/// Every limit of the service, in one place. Each is told with both numbers where it is reached.
enum Limits {
    static let idBytesMax = ResourceLimits.idBytesMax
    static let descriptionBytesMax = 10_000
    static let classesMax = 10_000
    static let classesMin = 2
    static let classBytesMax = 200
    static let schemaBytesMax = 256 << 10
    static let groupKeysMax = 8
    static let annotatorsMax = 25
    static let annotatorsStandard = 3

    /// One row of a source, images in base64 included.
    static let recordBytesMax = 128 << 20
    static let rowIDBytesMax = 255
    static let imageNameBytesMax = 255
    static let imagesPerRowMax = 64
    static let turnsMax = 1_024
    static let partsMax = 1_024
    static let textBytesMax = 1 << 20
    static let answerBytesStandard = 32_768
    static let regionsMax = 10_000
    static let tagsMax = 32
    static let tagBytesMax = 63
    static let attributesMax = 64
    static let attributeBytesMax = 4_096
    static let passthroughBytesMax = 64 << 10
    static let annotatorBytesMax = 200
    static let votesPerRowMax = 100

    static let tasksStandard = 10
    static let tasksMax = 100
    static let leaseSecondsStandard: Int64 = 3_600
    static let leaseSecondsMin: Int64 = 60
    static let leaseSecondsMax: Int64 = 86_400
    /// One of so many tasks of a person is a gold row, where there are any.
    static let goldEvery = 10
    static let leadSecondsMax = 86_400.0
    /// Boxes of two people show the same from this share of overlap on.
    static let regionOverlapMin = 0.5
    static let remarkBytesMax = 10_000
    static let dissentersMax = 100
    static let markdownBytesMax = 1 << 20
    static let rulesMax = 1_000
    static let ruleExamplesMax = 100
    static let termsMax = 10_000
    static let termBytesMax = 200
    static let patternsMax = 100
    static let violatingRowsMax = 100
    static let reviewRowsMax = 1_000
    static let trendPeriodsMax: UInt32 = 100
    /// Datasets whose compiled answer rules are kept.
    static let answerRulesMax = 64

    static let imageSideMin = 8
    static let imageSideMax = 30_000
    static let imageAreaMax = 100_000_000
    static let imageBytesMax = 32 << 20
    static let uploadPieceBytesMax = 1 << 20
    static let uploadKeysMax = 100_000

    /// Rows and bytes of a group, which goes to the disk with one sync.
    static let groupRowsMax = 256
    static let groupBytesMax = 8 << 20
    /// Bytes of images in the groups that all uploads together collect.
    static let arrivingBytesMax = 64 << 20
    static let reportsStandard = 1_000
    static let reportsMax = 100_000
    static let originBytesMax = 1_000

    /// Below the 64 MiB of a message, with room for what is around.
    static let pageBytesMax = 48 << 20
    static let reasonBytesMax = ResourceLimits.reasonBytesMax

    static let splitBasisPointsMax: UInt32 = 5_000
    static let splitBasisPointsStandard: UInt32 = 1_000
    static let hashDistanceMax: UInt32 = 16
    static let hashDistanceStandard: UInt32 = 6
    static let testRowsWanted = 200
    static let shardsMax: UInt32 = 65_536
    static let epochsMax: UInt32 = 1_000_000
    static let chunkBytes = 1 << 20
    static let exportFileBytesMax = 256 << 20

    static let findingsStandard = 100
    static let findingsMax = 10_000
    /// Rows named of a cluster.
    static let clusterRowsMax = 1_000
    /// Rows named of all clusters.
    static let clusterNamesMax = 100_000
    /// Votes that an inspection weighs.
    static let inspectedVotesMax = 600_000

    /// Sheets and pages, which go in one message.
    static let reportBytesMax = 32 << 20
}
