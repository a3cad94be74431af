import Base
import Foundation
import Messages
import Text

/// Cuts a file into its records without reading any of them: elements of a JSON list, or lines.
struct TextRecords: Sendable {
    private let content: Data

    /// Maps a file into memory.
    init(path: String) throws(ImportError) {
        content = try Data(mapping: path)
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
        guard record.count <= Limits.recordBytesMax else {
            throw Rejection(tooLong: record.count, max: Limits.recordBytesMax)
        }
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
            // A part of the mapped file: copied only by whoever finds it short enough.
            if !isEmpty { return (number, record) }
        }
        return nil
    }

    private mutating func line() -> Data {
        let start = place
        let length: Int = content[start...].withUnsafeBytes { (rest: UnsafeRawBufferPointer) in
            guard let base = rest.baseAddress, let end = memchr(base, 0x0a, rest.count) else {
                return rest.count
            }
            return UnsafeRawPointer(end) - base
        }
        place = min(start + length + 1, content.endIndex)
        return content[start..<(start + length)]
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
    private let content: Data
    private let separator: UInt8
    private let recordBytesMax: Int
    private let start: Int

    private enum Record {
        case fields([[UInt8]])
        case tooLong(bytes: Int)
    }

    /// Reads the header.
    init(
        path: String, separator: Character, recordBytesMax: Int = Limits.recordBytesMax
    ) throws(ImportError) {
        content = try Data(mapping: path)
        // The mark that some programs put before UTF-8.
        var place = content.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
        let mark = separator.asciiValue ?? UInt8(ascii: ",")
        self.separator = mark
        self.recordBytesMax = recordBytesMax
        let first = content.withUnsafeBytes { Self.next($0, mark, recordBytesMax, &place) }
        guard case .fields(let fields)? = first else {
            throw .malformed(path, why: "it has no header")
        }
        (header, start) = (fields.map { String(decoding: $0, as: UTF8.self) }, place)
    }

    /// Calls `body` with the number of each row, from 1 for the header, and its values by column.
    func forEach(
        _ body: (Int, Result<[String: String], Rejection>) async throws -> Void
    ) async throws {
        var (place, number) = (start, 1)
        while let record = content.withUnsafeBytes({
            Self.next($0, separator, recordBytesMax, &place)
        }) {
            number += 1
            switch record {
            case .fields(let fields) where fields.count == 1 && fields[0].isEmpty: continue
            case .fields(let fields): try await body(number, values(fields))
            case .tooLong(let bytes):
                try await body(number, .failure(Rejection(tooLong: bytes, max: recordBytesMax)))
            }
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

    /// Cuts the next record into fields; of one that is too long nothing is kept.
    private static func next(
        _ text: UnsafeRawBufferPointer, _ separator: UInt8, _ bytesMax: Int, _ place: inout Int
    ) -> Record? {
        guard place < text.count else { return nil }
        let start = place
        var fields: [[UInt8]] = [[]]
        var (isQuoted, isEmpty, isTooLong) = (false, true, false)
        func take(_ byte: UInt8) {
            isEmpty = false
            if !isTooLong { fields[fields.count - 1].append(byte) }
        }
        while place < text.count {
            let byte = text[place]
            place += 1
            if place - start > bytesMax { (isTooLong, fields) = (true, [[]]) }
            if isQuoted {
                guard byte == UInt8(ascii: "\"") else {
                    take(byte)
                    continue
                }
                if place < text.count, text[place] == byte {
                    take(byte)
                    place += 1
                } else {
                    isQuoted = false
                }
            } else if byte == UInt8(ascii: "\""), isEmpty {
                isQuoted = true
            } else if byte == separator {
                if !isTooLong { fields.append([]) }
                isEmpty = true
            } else if byte == UInt8(ascii: "\n") {
                break
            } else if byte != UInt8(ascii: "\r") {
                take(byte)
            }
        }
        return isTooLong ? .tooLong(bytes: place - start) : .fields(fields)
    }
}

extension Data {
    /// A file in memory as far as it is looked at.
    fileprivate init(mapping path: String) throws(ImportError) {
        let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
        // Foundation leaks a page for each empty file that it maps.
        if size == 0 {
            self.init()
            return
        }
        do {
            try self.init(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        } catch {
            throw .unreadable(path, why: "it is no readable file")
        }
    }
}

extension Rejection {
    /// A row of a source that is longer than any is read.
    fileprivate init(tooLong bytes: Int, max: Int) {
        self.init(
            .fieldInvalid, seen: "\(bytes) bytes", allowed: "\(max) bytes",
            "the row is too long")
    }
}
