package import Base
import Glibc
package import Images

/// A log that TensorBoard shows, with the tags that transformers gives to the same numbers.
///
/// Each part of a run that was not interrupted has a file of its own; a run that goes on from a
/// checkpoint says at which step, and what older files have beyond it is not shown any more.
package final class EventLog {
    private let descriptor: Int32

    /// Begins a file.
    /// - Parameters:
    ///   - folder: exists
    ///   - unixSeconds: now; part of the file's name, by which TensorBoard orders files
    ///   - step: the first step that is going to be in it
    package init(
        in folder: String, at unixSeconds: Double, from step: Int = 0
    ) throws(EventLogError) {
        let seconds = String(Int(unixSeconds))
        let padded = String(repeating: "0", count: max(0, 10 - seconds.count)) + seconds
        var (turn, file) = (0, Int32(-1))
        repeat {
            let name = "events.out.tfevents.\(padded).fovea.\(turn)"
            file = open("\(folder)/\(name)", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            turn += 1
        } while file < 0 && errno == EEXIST && turn < 1000
        guard file >= 0 else { throw .unwritable(.last) }
        descriptor = file
        var first = EventMessage(at: unixSeconds, step: 0)
        first.beginFile()
        try append(first)
        guard step > 0 else { return }
        var session = EventMessage(at: unixSeconds, step: step)
        session.beginSession()
        try append(session)
    }

    deinit { close(descriptor) }

    /// Writes a line of a run's history: `loss` as `train/loss`, `eval_loss` as `eval/loss`.
    package func write(_ entry: LogEntry, at unixSeconds: Double) throws(EventLogError) {
        var event = EventMessage(at: unixSeconds, step: entry.step)
        let values = entry.values + [LogEntry.Value("epoch", entry.epoch)]
        event.scalars(values.map { (Self.tag(of: $0.name), Float($0.number)) })
        try append(event)
    }

    /// Writes a picture, such as one that the model got wrong.
    /// - Parameter tag: such as `failures/row-17`
    package func write(
        _ picture: RGBImage, tag: String, step: Int, at unixSeconds: Double
    ) throws(EventLogError) {
        let png: Bytes
        do { png = try picture.png() } catch { throw .picture(error) }
        var event = EventMessage(at: unixSeconds, step: step)
        event.image(tag, png: png, width: picture.width, height: picture.height)
        try append(event)
    }

    /// Waits until all is on the disk.
    package func synchronise() throws(EventLogError) {
        guard fsync(descriptor) == 0 else { throw .unwritable(.last) }
    }

    static func tag(of name: String) -> String {
        for prefix in ["eval", "test"] where name.hasPrefix(prefix + "_") {
            return prefix + "/" + name.dropFirst(prefix.count + 1)
        }
        return "train/" + name
    }

    /// Writes a record: its length and the length's checksum, the bytes and theirs.
    private func append(_ event: EventMessage) throws(EventLogError) {
        let length = UInt64(event.bytes.count).littleEndianBytes
        let record =
            length + CRC32C.masked(length).littleEndianBytes + event.bytes
            + CRC32C.masked(event.bytes).littleEndianBytes
        var sent = 0
        while sent < record.count {
            let count = record.withUnsafeBytes { bytes in
                Glibc.write(descriptor, bytes.baseAddress.map { $0 + sent }, record.count - sent)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .unwritable(.last) }
            sent += count
        }
    }
}

/// Why a log for TensorBoard cannot be written. Training need not stop for it.
package enum EventLogError: Failure {
    case unwritable(SystemError)
    case picture(ImageError)

    package var kind: FailureKind {
        switch self {
        case .unwritable(let error):
            [ENOSPC, EDQUOT, EFBIG].contains(error.code) ? .exhausted : .precondition
        case .picture(let error): error.kind
        }
    }

    package var reason: String {
        switch self {
        case .unwritable: "EVENT_LOG_UNWRITABLE"
        case .picture(let error): error.reason
        }
    }

    package var message: String {
        switch self {
        case .unwritable(let error): "the event log cannot be written: \(error.words)"
        case .picture(let error): error.message
        }
    }
}
