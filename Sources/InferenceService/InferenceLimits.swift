/// Every limit of the service, in one place. Each is told with both numbers where it is reached.
enum InferenceLimits {
    static let turnsMax = 1_024
    static let partsMax = 1_024
    static let imagesMax = 64
    static let imageBytesMax = 32 << 20
    static let imagePixelsMax = 100_000_000
    static let displayNameBytesMax = 255
    static let choicesMax = 1_024
    static let choiceBytesMax = 4_096
    static let attributesMax = 16
    static let attributeBytesMax = 63
    /// Tokens of an answer whose length nobody chose.
    static let answerTokensStandard = 512
    /// Encoded images kept so that a digest can stand for them.
    static let imageStoreBytes = 256 << 20
    static let adapterFilesMax = 64
    static let adapterBytesMax = 16 << 30
    static let copyBytes = 1 << 20
    /// When a caller whom a full queue turned away may come again.
    static let retrySeconds = 1.0
}
