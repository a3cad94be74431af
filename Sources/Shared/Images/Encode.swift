package import Base
import CImages

extension RGBImage {
    /// A JPEG file. Quality is 1 to 100; colour is stored at half the resolution up to 90.
    package func jpeg(quality: Int = 90) throws(ImageError) -> Bytes {
        let quality = Int32(min(max(quality, 1), 100))
        return try encoded(.jpeg) { picture, output, message in
            ci_encode_jpeg(picture, quality, quality <= 90, &output, &message)
        }
    }

    /// A PNG file. Level is 0 (fast) to 9 (small).
    package func png(level: Int = 6) throws(ImageError) -> Bytes {
        let level = Int32(min(max(level, 0), 9))
        return try encoded(.png) { picture, output, message in
            ci_encode_png(picture, level, &output, &message)
        }
    }

    private func encoded(
        _ format: ImageFormat,
        with encode: (ci_picture, inout ci_output, inout ci_message) -> ci_status
    ) throws(ImageError) -> Bytes {
        var (output, message) = (ci_output(), ci_message())
        let status = pixels.withUnsafeBufferPointer { source in
            // The encoders only read, though their structure is shared with the decoders.
            let picture = ci_picture(
                pixels: UnsafeMutablePointer(mutating: source.baseAddress),
                width: UInt32(width), height: UInt32(height), channels: 3, shrink: 1,
                is_damaged: false)
            return encode(picture, &output, &message)
        }
        switch status {
        case CI_OK: break
        case CI_NO_MEMORY: throw .noMemory(bytesWanted: pixels.count)
        default: throw .unsupported(format, text(of: message))
        }
        guard let base = output.bytes else { throw .noMemory(bytesWanted: pixels.count) }
        return Bytes(adopting: base, count: output.count)
    }
}
