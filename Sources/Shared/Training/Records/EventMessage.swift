import Base

/// What TensorBoard reads: the message `Event` of `tensorflow/core/util/event.proto`, in the wire
/// format of Protocol Buffers.
struct EventMessage {
    private(set) var bytes: [UInt8] = []

    /// The fields that are written, by their numbers in the messages that they are in.
    private enum Field {
        static let wallTime = 1, step = 2, fileVersion = 3, summary = 5, sessionLog = 7
        static let value = 1
        static let tag = 1, simpleValue = 2, image = 4
        static let height = 1, width = 2, colours = 3, encoded = 4
        static let status = 1
    }

    /// - Parameter unixSeconds: when it happened
    init(at unixSeconds: Double, step: Int) {
        fixed(Field.wallTime, unixSeconds.bitPattern)
        // What is 0 is not written in this format.
        if step != 0 { number(Field.step, step) }
    }

    /// The first event of a file.
    mutating func beginFile() { text(Field.fileVersion, "brain.Event:2") }

    /// Says that events of this step and later ones in older files do not count any more.
    mutating func beginSession() {
        nested(Field.sessionLog) { $0.number(Field.status, 1) }
    }

    mutating func scalars(_ values: [(tag: String, number: Float)]) {
        nested(Field.summary) { summary in
            for value in values {
                summary.nested(Field.value) {
                    $0.text(Field.tag, value.tag)
                    $0.fixed(Field.simpleValue, value.number.bitPattern)
                }
            }
        }
    }

    mutating func image(_ tag: String, png: Bytes, width: Int, height: Int) {
        nested(Field.summary) { summary in
            summary.nested(Field.value) { value in
                value.text(Field.tag, tag)
                value.nested(Field.image) {
                    $0.number(Field.height, height)
                    $0.number(Field.width, width)
                    $0.number(Field.colours, 3)
                    $0.bytes(Field.encoded, Array(png))
                }
            }
        }
    }

    private init() {}

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private mutating func key(_ field: Int, _ kind: UInt64) { varint(UInt64(field) << 3 | kind) }

    private mutating func number(_ field: Int, _ value: Int) {
        key(field, 0)
        varint(UInt64(bitPattern: Int64(value)))
    }

    private mutating func fixed(_ field: Int, _ value: some FixedWidthInteger) {
        key(field, value.bitWidth == 64 ? 1 : 5)
        bytes += value.littleEndianBytes
    }

    private mutating func bytes(_ field: Int, _ value: [UInt8]) {
        key(field, 2)
        varint(UInt64(value.count))
        bytes += value
    }

    private mutating func text(_ field: Int, _ value: String) { bytes(field, Array(value.utf8)) }

    private mutating func nested(_ field: Int, _ body: (inout EventMessage) -> Void) {
        var inner = EventMessage()
        body(&inner)
        bytes(field, inner.bytes)
    }
}

extension FixedWidthInteger {
    /// Its bytes, the lowest first.
    var littleEndianBytes: [UInt8] { withUnsafeBytes(of: littleEndian) { Array($0) } }
}
