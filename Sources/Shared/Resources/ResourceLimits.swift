/// Limits that are the same for every resource. Each is told with both numbers where it is reached.
package enum ResourceLimits {
    package static let idBytesMax = 63
    package static let displayNameBytesMax = 200
    package static let labelsMax = 64
    package static let reasonBytesMax = 1_000
    package static let seenCharactersMax = 200
    package static let pageSizeStandard = 50
    package static let pageSizeMax = 1_000
    package static let filterBytesMax = 4_096
    package static let filterDepthMax = 32
    package static let requestSecondsKept: Int64 = 24 * 3_600
}
