import Base
import Foundation
import Messages
import Text

/// Cuts a file into its records without reading any of them: elements of a JSON list, or lines.
struct TextRecords: Sendable {
    private let content: Data

    /// Maps a file into memory.
    init(path: String) throws(ImportError) {
        do {
            content = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        } catch {
            throw .unreadable(path, why: "it is no readable file")
        }
    }

    /// Calls `body` with each record and its number, from 1, until it returns false.
    func forEach(_ body: (Int, Data) async throws -> Bool) async throws {
        var cutter = RecordCutter(content)
        while let (number, record) = cutter.next() {
            guard try await body(number, record) else { return }
        }
    }

    /// The first so many records.
    func leading(_ count: Int) -> [Data] {
        var cutter = RecordCutter(content)
        var records: [Data] = []
        while records.count < count, let (_, record) = cutter.next() { records.append(record) }
        return records
    }

    /// The record as JSON, or why it is not.
    static func json(_ record: Data) throws(Rejection) -> JSONNode {
        let why: String
        guard String(validating: record, as: UTF8.self) != nil else {
            throw Rejection(
                .textInvalid, seen: String(decoding: record.prefix(40), as: UTF8.self),
                allowed: "UTF-8", "the row is not UTF-8")
        }
        do throws(JSONError) {
            return try JSONDocument(record).root
        } catch {
            why = "\(error.why) at byte \(error.offset)"
        }
        throw Rejection(
            .fieldInvalid, seen: String(decoding: record.prefix(60), as: UTF8.self),
            allowed: "JSON", "the row is not JSON (\(why))")
    }
}

/// Steps through the records of a file.
private struct RecordCutter {
    private let content: Data
    private let isList: Bool
    private var place: Int
    private var number = 0
    private var isAtEnd = false

    init(_ content: Data) {
        self.content = content
        let first = content.firstIndex { !Self.isSpace($0) } ?? content.endIndex
        isList = first < content.endIndex && content[first] == UInt8(ascii: "[")
        place = isList ? first + 1 : content.startIndex
    }

    /// The next record that is not empty, with its number: of elements in a list, else of lines.
    mutating func next() -> (Int, Data)? {
        while !isAtEnd, place < content.endIndex {
            let record = isList ? element() : line()
            let isEmpty = !record.contains { !Self.isSpace($0) }
            if !isList || !isEmpty { number += 1 }
            if !isEmpty { return (number, Data(record)) }
        }
        return nil
    }

    private mutating func line() -> Data {
        let start = place
        let end = content[start...].firstIndex(of: UInt8(ascii: "\n")) ?? content.endIndex
        place = min(end + 1, content.endIndex)
        return content[start..<end]
    }

    /// Elements end at commas outside of strings and brackets. Where a list is cut off, its last
    /// element is given as far as it goes, so that it is refused and not forgotten.
    private mutating func element() -> Data {
        let start = place
        var (depth, isQuoted, isEscaped) = (0, false, false)
        while place < content.endIndex {
            let byte = content[place]
            place += 1
            if isQuoted {
                let ends = byte == UInt8(ascii: "\"") && !isEscaped
                isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
                isQuoted = !ends
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isQuoted = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: ",") where depth == 0: return content[start..<(place - 1)]
            case UInt8(ascii: "]") where depth == 0:
                isAtEnd = true
                return content[start..<(place - 1)]
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
        }
        return content[start...]
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09
    }
}

/// Rows of a file with separators, as RFC 4180 has them; tabs instead of commas for TSV.
struct SeparatedRows: Sendable {
    let header: [String]
    private let text: [UInt8]
    private let separator: UInt8
    private let start: Int

    /// Reads the header.
    init(path: String, separator: Character) throws(ImportError) {
        guard let content = FileManager.default.contents(atPath: path) else {
            throw .unreadable(path, why: "it is no readable file")
        }
        // The mark that some programs put before UTF-8.
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        text = Array(content.starts(with: mark) ? content.dropFirst(3) : content)
        self.separator = separator.asciiValue ?? UInt8(ascii: ",")
        var place = 0
        guard let fields = Self.next(text, self.separator, &place) else {
            throw .malformed(path, why: "it has no header")
        }
        (header, start) = (fields.map { String(decoding: $0, as: UTF8.self) }, place)
    }

    /// Calls `body` with the number of each row, from 1 for the header, and its values by column.
    func forEach(
        _ body: (Int, Result<[String: String], Rejection>) async throws -> Void
    ) async throws {
        var (place, number) = (start, 1)
        while let fields = Self.next(text, separator, &place) {
            number += 1
            if fields.count == 1, fields[0].isEmpty { continue }
            try await body(number, values(fields))
        }
    }

    private func values(_ fields: [[UInt8]]) -> Result<[String: String], Rejection> {
        guard fields.count == header.count else {
            return .failure(
                Rejection(
                    .fieldInvalid, seen: "\(fields.count) values",
                    allowed: "\(header.count), as many as columns", "the row is not complete"))
        }
        var values: [String: String] = [:]
        for (name, field) in zip(header, fields) {
            guard let text = String(validating: field, as: UTF8.self), !field.contains(0) else {
                return .failure(
                    Rejection(
                        .textInvalid, field: name, seen: String(decoding: field, as: UTF8.self),
                        allowed: "UTF-8 without NUL", "the value is no text"))
            }
            values[name] = text
        }
        return .success(values)
    }

    private static func next(
        _ text: [UInt8], _ separator: UInt8, _ place: inout Int
    ) -> [[UInt8]]? {
        guard place < text.count else { return nil }
        var fields: [[UInt8]] = [[]]
        var isQuoted = false
        while place < text.count {
            let byte = text[place]
            place += 1
            if isQuoted {
                guard byte == UInt8(ascii: "\"") else {
                    fields[fields.count - 1].append(byte)
                    continue
                }
                if place < text.count, text[place] == byte {
                    fields[fields.count - 1].append(byte)
                    place += 1
                } else {
                    isQuoted = false
                }
            } else if byte == UInt8(ascii: "\""), fields[fields.count - 1].isEmpty {
                isQuoted = true
            } else if byte == separator {
                fields.append([])
            } else if byte == UInt8(ascii: "\n") {
                break
            } else if byte != UInt8(ascii: "\r") {
                fields[fields.count - 1].append(byte)
            }
        }
        return fields
    }
}
