import Base
import Foundation
import Glibc
import Messages

/// Answers on disk, one after another: the length of a message in four bytes, little-endian, and
/// the message. What a crash cut off at the end is left out.
struct AnswerLog {
    private let path: String

    init(_ path: String) { self.path = path }

    /// The answers that are whole.
    func predictions() -> [Prediction] {
        guard case .success(let bytes) = SmallFile.read(path, bytesMax: 1 << 30) else { return [] }
        var predictions: [Prediction] = []
        var place = 0
        while place + 4 <= bytes.count {
            let length = (0..<4).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
            let end = place + 4 + length
            guard end <= bytes.count,
                let prediction = try? Prediction(
                    decoding: Bytes(Array(bytes[(place + 4)..<end])))
            else { break }
            predictions.append(prediction)
            place = end
        }
        // What comes next must not stand behind half an answer.
        if place < bytes.count { truncate(path, off_t(place)) }
        return predictions
    }

    /// Appends answers; they are on the disk when this returns.
    func append(_ predictions: [Prediction]) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw RowPackError.unwritable(SystemError.last) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        for prediction in predictions {
            let message = try prediction.encoded()
            bytes += (0..<4).map { UInt8(truncatingIfNeeded: message.count >> (8 * $0)) }
            bytes += message
        }
        let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        guard written == bytes.count, fsync(descriptor) == 0 else {
            throw RowPackError.unwritable(SystemError.last)
        }
    }
}
