import Base
import Foundation
import Messages

typealias Everything = EchoTest.Everything

/// Messages as Google's protobuf library encodes them: scripts/make-goldens/messages.py.
enum Goldens {
    /// A message with the values of `Everything.known`.
    static func known() throws -> Bytes { try read("known.bin") }

    /// Messages with random fields.
    static func everything() throws -> [Bytes] {
        let all = try read("everything.bin")
        var (records, position): ([Bytes], Int) = ([], 0)
        while position + 4 <= all.count {
            let count = (0..<4).reduce(0) { $0 | Int(all[position + $1]) << (8 * $1) }
            records.append(all.slice(position + 4..<position + 4 + count))
            position += 4 + count
        }
        return records
    }

    private static func read(_ name: String) throws -> Bytes {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Goldens/messages")
        return Bytes(try Data(contentsOf: folder.appendingPathComponent(name)))
    }
}

/// Fields written by hand, for what no encoder would write.
enum Wire {
    static func varint(_ value: UInt64) -> [UInt8] {
        var (left, bytes): (UInt64, [UInt8]) = (value, [])
        while left >= 0x80 {
            bytes.append(UInt8(left & 0x7f) | 0x80)
            left >>= 7
        }
        return bytes + [UInt8(left)]
    }

    static func field(_ number: UInt64, _ contents: [UInt8]) -> [UInt8] {
        varint(number << 3 | 2) + varint(UInt64(contents.count)) + contents
    }

    static func field(_ number: UInt64, varint value: UInt64) -> [UInt8] {
        varint(number << 3) + varint(value)
    }
}
