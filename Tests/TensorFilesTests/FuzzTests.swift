import Base
import Foundation
import TestSupport
import Testing

@testable import TensorFiles

/// Damaged files from seeds. FOVEA_FUZZ_CASES and FOVEA_FUZZ_SEED choose how much and which.
struct TensorFilesFuzzTests {
    private let cases = UInt64(RunSize.value("FOVEA_FUZZ_CASES", standard: 4000))
    private let firstSeed = UInt64(RunSize.value("FOVEA_FUZZ_SEED", standard: 1))

    @Test func aDamagedFileIsReadWholeOrRefused() throws {
        for seed in firstSeed..<firstSeed + cases {
            var damage = Damage(seed: seed)
            let file = try damage.file()
            do throws(FormatError) {
                let header = try TensorFileHeader(file)
                check(header, of: file, seed)
            } catch {
                #expect(!error.message.isEmpty, "seed \(seed)")
            }
        }
    }

    @Test func aDamagedIndexIsReadOrRefused() throws {
        for seed in firstSeed..<firstSeed + cases {
            var damage = Damage(seed: seed)
            let json = Bytes(try damage.index())
            do throws(FormatError) {
                let index = try json.withUnsafeBytes { (bytes) throws(FormatError) in
                    try CheckpointIndex(reading: bytes)
                }
                #expect(index.places.allSatisfy { Folder.isPlain($0.file) }, "seed \(seed)")
            } catch {
                #expect(!error.message.isEmpty, "seed \(seed)")
            }
        }
    }

    @Test func aDamagedFileOnDiskIsReadWholeOrRefused() throws {
        let folder = try TemporaryFolder()
        for seed in firstSeed..<firstSeed + cases / 20 {
            var damage = Damage(seed: seed)
            try folder.write(damage.file(), to: "model.safetensors")
            do throws(TensorFileError) {
                let checkpoint = try Checkpoint(folder: folder.path)
                for stored in checkpoint.tensors {
                    let bytes = try checkpoint.tensor(named: stored.name).bytes
                    #expect(bytes.count == stored.range.count, "seed \(seed)")
                }
            } catch {
                #expect(error.kind == .invalidInput, "seed \(seed)")
            }
        }
    }

    /// Every byte of every tensor is in the file, belongs to it alone, and can be written again.
    private func check(_ header: TensorFileHeader, of file: [UInt8], _ seed: UInt64) {
        var end = 0
        for tensor in header.tensors {
            #expect(tensor.range.lowerBound == end, "seed \(seed)")
            end = tensor.range.upperBound
            #expect(header[tensor.name] == tensor, "seed \(seed)")
        }
        #expect(header.dataStart + end == file.count, "seed \(seed)")
        let planned = header.tensors.map { PlannedTensor($0.name, $0.type, $0.shape) }
        let layout = try? TensorFileLayout(planned, metadata: header.metadata)
        #expect(layout?.dataBytes == end, "seed \(seed)")
    }
}

/// Valid files and what goes wrong with them.
private struct Damage {
    private var random: SeededRandom

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    /// A file, damaged in up to three ways.
    mutating func file() throws -> [UInt8] {
        let tensors = (0..<Int.random(in: 0...5, using: &random)).map { _ in tensor() }
        var names: Set<ExactName> = []
        let unique = tensors.filter { names.insert(ExactName($0.name)).inserted }
        let metadata = chance(2) ? ["format": "pt", word(): word()] : [:]
        let layout = try TensorFileLayout(unique, metadata: metadata)
        var json = Array(layout.head.dropFirst(8))
        for _ in 0..<Int.random(in: 0...2, using: &random) { damageJSON(&json) }
        let count = layout.dataBytes + (chance(8) ? Int.random(in: -9...9, using: &random) : 0)
        var file = RawFile.bytes(json, dataBytes: max(0, count))
        if chance(8) { damageLength(&file) }
        if chance(8) { damageBytes(&file) }
        return file
    }

    /// An index, damaged in up to three ways.
    mutating func index() throws -> [UInt8] {
        let tensors = (1...4).map { PlannedTensor("\(word()).\($0)", .uint8, [$0]) }
        var json = try Array(CheckpointPlan(tensors, shardBytesMax: 3).index ?? Bytes())
        for _ in 0..<Int.random(in: 0...3, using: &random) { damageJSON(&json) }
        if chance(4) { damageBytes(&json) }
        return json
    }

    private mutating func tensor() -> PlannedTensor {
        let axes = Int.random(in: 0...3, using: &random)
        var shape = (0..<axes).map { _ in Int.random(in: 0...4, using: &random) }
        let type = StoredType.allCases.randomElement(using: &random) ?? .uint8
        if type.bits < 8 { shape.append(4) }
        return PlannedTensor(word(), type, shape)
    }

    private mutating func chance(_ n: Int) -> Bool { Int.random(in: 0..<n, using: &random) == 0 }

    private mutating func word() -> String {
        let words = [
            "a", "b", "", "w.0", "é", "e\u{301}", "🦊", "\"", "\\", "\0", "dtype", "shape",
            "__metadata__x", String(repeating: "long", count: 40),
        ]
        return words.randomElement(using: &random) ?? ""
    }

    /// Replaces a number or a string, or moves a tensor or a piece of the text.
    private mutating func damageJSON(_ json: inout [UInt8]) {
        switch Int.random(in: 0..<6, using: &random) {
        case 0, 1: replaceNumber(in: &json)
        case 2, 3: replaceString(in: &json)
        case 4: moveTensor(in: &json)
        default: movePiece(in: &json)
        }
    }

    private mutating func replaceNumber(in json: inout [UInt8]) {
        let isDigit = { (byte: UInt8) in (0x30...0x39).contains(byte) }
        guard let place = json.indices.filter({ isDigit(json[$0]) }).randomElement(using: &random)
        else { return }
        let end = json[place...].firstIndex { !isDigit($0) } ?? json.count
        let numbers = [
            "0", "1", "2", "8", "-1", "1.5", "1e3", "00", "65536", "4294967296",
            "9223372036854775807", "9223372036854775808", "18446744073709551616", "null", "[]",
        ]
        json.replaceSubrange(place..<end, with: (numbers.randomElement(using: &random) ?? "").utf8)
    }

    private mutating func replaceString(in json: inout [UInt8]) {
        let quotes = json.indices.filter { json[$0] == UInt8(ascii: "\"") }
        guard let start = quotes.randomElement(using: &random),
            let end = quotes.first(where: { $0 > start })
        else { return }
        let texts = [
            "a", "b", "dtype", "shape", "data_offsets", "__metadata__", "weight_map", "F32", "U8",
            "F4", "BOOL", "X9", "..", "../x", "/x", "\\u0000", "\\ud800", "\\ud83e\\udd8a", "\u{1}",
        ]
        json.replaceSubrange(
            start + 1..<end, with: (texts.randomElement(using: &random) ?? "").utf8)
    }

    /// Gives a tensor another place with as many bytes, which makes holes and overlaps.
    private mutating func moveTensor(in json: inout [UInt8]) {
        let text = String(decoding: json, as: UTF8.self)
        guard let key = text.ranges(of: "data_offsets\":[").randomElement(using: &random),
            let end = text[key.upperBound...].firstIndex(of: "]")
        else { return }
        let shift = Int.random(in: -4...4, using: &random)
        let moved = text[key.upperBound..<end].split(separator: ",")
            .map { Int($0).map { String($0 &+ shift) } ?? String($0) }.joined(separator: ",")
        json = Array(text.replacingCharacters(in: key.upperBound..<end, with: moved).utf8)
    }

    private mutating func movePiece(in json: inout [UInt8]) {
        guard !json.isEmpty else { return }
        let start = Int.random(in: 0..<json.count, using: &random)
        let end = min(json.count, start + Int.random(in: 1...60, using: &random))
        let piece = Array(json[start..<end])
        if chance(2) { json.removeSubrange(start..<end) }
        json.insert(contentsOf: piece, at: Int.random(in: 0...json.count, using: &random))
    }

    private mutating func damageLength(_ file: inout [UInt8]) {
        let count = UInt64(file.count)
        let lengths = [0, 1, count - 9, count - 8, count - 7, 100_000_001, 1 << 63, .max]
        file.replaceSubrange(
            0..<8, with: RawFile.length(lengths.randomElement(using: &random) ?? 0))
    }

    private mutating func damageBytes(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: bytes.removeSubrange(place...)
        case 2: bytes.remove(at: place)
        default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
        }
    }
}
