package import Base

/// Why bytes did not become a picture.
package enum ImageError: Failure, Hashable {
    /// The first bytes are those of no format that is read here.
    case unknownFormat(firstBytes: [UInt8])
    /// The bytes end before the picture does.
    case truncated(ImageFormat, byteCount: Int)
    /// The bytes break the rules of their format; the text says how.
    case broken(ImageFormat, String)
    /// A variant of the format that is not read here.
    case unsupported(ImageFormat, String)
    case tooManyBytes(count: Int, max: Int)
    case tooManyPixels(width: Int, height: Int, pixelsMax: Int)
    case sideTooLong(width: Int, height: Int, sideMax: Int)
    case tooManyFrames(countAtLeast: Int, max: Int)
    /// A picture without pixels, or a size that nothing can be resized to.
    case badSize(width: Int, height: Int)
    /// A picture so narrow that its model cannot take it.
    case badAspect(width: Int, height: Int, ratioMax: Int)
    /// A setting of the preprocessing makes no sense.
    case badSetting(name: String, value: String)
    case noMemory(bytesWanted: Int)

    package var kind: FailureKind {
        switch self {
        case .noMemory: .exhausted
        case .unsupported: .unimplemented
        case .badSetting: .precondition
        default: .invalidInput
        }
    }

    package var reason: String {
        switch self {
        case .unknownFormat, .truncated, .broken, .unsupported: "BAD_IMAGE"
        case .tooManyBytes, .tooManyPixels, .sideTooLong, .tooManyFrames: "IMAGE_TOO_LARGE"
        case .badSize, .badAspect: "BAD_IMAGE_SIZE"
        case .badSetting: "BAD_IMAGE_SETTING"
        case .noMemory: "NO_MEMORY"
        }
    }

    package var message: String {
        switch self {
        case .unknownFormat(let bytes):
            let seen = bytes.map { byteText($0) }.joined(separator: " ")
            return "not an image: JPEG, PNG, WebP and TIFF are read; the first bytes are [\(seen)]"
        case .truncated(let format, let count):
            return "a \(format.name) image that ends too early, after \(count) bytes"
        case .broken(let format, let text): return "a damaged \(format.name) image: \(text)"
        case .unsupported(let format, let text):
            return "a kind of \(format.name) image that is not read here: \(text)"
        case .tooManyBytes(let count, let max):
            return "an image of \(count) bytes; at most \(max) are allowed"
        case .tooManyPixels(let width, let height, let max):
            return "an image of \(width) x \(height) pixels; at most \(max) pixels are allowed"
        case .sideTooLong(let width, let height, let max):
            return "an image of \(width) x \(height) pixels; a side may have at most \(max)"
        case .tooManyFrames(let count, let max):
            return "an image of at least \(count) frames; at most \(max) are allowed"
        case .badSize(let width, let height): return "an image of \(width) x \(height) pixels"
        case .badAspect(let width, let height, let max):
            return "an image of \(width) x \(height) pixels; the ratio may be at most \(max)"
        case .badSetting(let name, let value):
            return "the image setting \(name) cannot be \(value)"
        case .noMemory(let count): return "no memory for \(count) bytes of pixels"
        }
    }
}

private func byteText(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16)
    return digits.count == 1 ? "0" + digits : digits
}
