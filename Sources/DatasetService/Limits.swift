/// Every limit of the service, in one place. Each is told with both numbers where it is reached.
enum Limits {
    static let idBytesMax = 63
    static let displayNameBytesMax = 200
    static let descriptionBytesMax = 10_000
    static let labelsMax = 64
    static let classesMax = 10_000
    static let classesMin = 2
    static let classBytesMax = 200
    static let schemaBytesMax = 256 << 10
    static let groupKeysMax = 8
    static let annotatorsMax = 25
    static let annotatorsStandard = 3

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
    static let seenCharactersMax = 200

    static let pageSizeStandard = 50
    static let pageSizeMax = 1_000
    /// Below the 64 MiB of a message, with room for what is around.
    static let pageBytesMax = 48 << 20
    static let filterBytesMax = 4_096
    static let filterDepthMax = 32
    static let reasonBytesMax = 1_000
    static let requestSecondsKept: Int64 = 24 * 3_600

    static let splitBasisPointsMax: UInt32 = 5_000
    static let splitBasisPointsStandard: UInt32 = 1_000
    static let hashDistanceMax: UInt32 = 16
    static let hashDistanceStandard: UInt32 = 6
    static let testRowsWanted = 200
    static let shardsMax: UInt32 = 65_536
    static let epochsMax: UInt32 = 1_000_000
    static let chunkBytes = 1 << 20
    static let exportFileBytesMax = 256 << 20
}
