import Foundation
import Numerics
import Testing

/// Four-bit formats against the bytes of bitsandbytes, and against plain unpackings.
@Suite struct QuantisationTests {
    struct Case: CustomStringConvertible, Sendable {
        let name, kind: String
        let out, width, group, version: Int
        var description: String { name }
    }

    static let url = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()
        .appending(path: "Goldens/quantisation/quantisation.safetensors")

    static let cases: [Case] = {
        let text = (try? GoldenFile(url))?.metadata["cases"] ?? "[]"
        let rows = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]]
        return (rows ?? []).map { row in
            func number(_ name: String) -> Int { row[name] as? Int ?? 0 }
            return Case(
                name: row["case"] as? String ?? "", kind: row["kind"] as? String ?? "",
                out: number("out"), width: number("width"), group: number("group"),
                version: number("version"))
        }
    }()

    let backend: CPUBackend
    let file: GoldenFile

    init() throws {
        backend = try CPUBackend(threads: 2)
        file = try GoldenFile(QuantisationTests.url)
    }

    private func values<Number>(_ name: String, _: Number.Type = Number.self) throws -> [Number] {
        try GoldenNumbers.read(file, name)
    }

    private func bytes(_ values: [UInt8]) -> Tensor {
        values.withUnsafeBytes {
            Tensor(bytes: $0, shape: [values.count], type: .uint8, on: backend)
        }
    }

    @Test func thereAreCases() { #expect(QuantisationTests.cases.count >= 13) }

    @Test(arguments: cases.filter { $0.kind == "nf4" })
    func nf4HasTheBytesOfBitsandbytes(golden: Case) throws {
        let n = golden.name
        let w = Tensor(try values("\(n)/weight"), [golden.out, golden.width], on: backend)
        let found = NF4Weight(quantising: w)
        #expect(found.codes.bytes() == (try values("\(n)/codes")))
        #expect(found.absmax.floats() == (try values("\(n)/absmax")))
        let dequantised: [Float] = try values("\(n)/dequantised")
        #expect(FrozenWeight(found).dequantised(to: .float32).floats() == dequantised)
    }

    @Test(arguments: cases.filter { $0.kind == "nf4" })
    func doubleQuantisedScalesAreThoseOfBitsandbytes(golden: Case) throws {
        let n = golden.name
        #expect(NF4Absmax.signedMap == (try values("\(n)/map")))
        let offset: [Float] = try values("\(n)/offset")
        let stored = NF4Absmax(
            codes: try values("\(n)/nested_codes"), nested: try values("\(n)/nested_absmax"),
            offset: offset[0])
        #expect(stored.expanded() == (try values("\(n)/expanded")))
        let weight = NF4Weight(
            shape: [golden.out, golden.width], codes: bytes(try values("\(n)/codes")),
            absmax: stored)
        let dequantised: [Float] = try values("\(n)/dequantised_nested")
        #expect(FrozenWeight(weight).dequantised(to: .float32).floats() == dequantised)
    }

    /// The mean that is taken off may differ in its last bit; a number on the border of two steps
    /// of the grid then falls to the other side.
    @Test(arguments: cases.filter { $0.kind == "nf4" })
    func ourDoubleQuantisationIsThatOfBitsandbytes(golden: Case) throws {
        let n = golden.name
        let absmax: [Float] = try values("\(n)/absmax")
        let ours = NF4Absmax(quantising: absmax)
        let codes: [UInt8] = try values("\(n)/nested_codes")
        let (offset, nested): ([Float], [Float]) = (
            try values("\(n)/offset"), try values("\(n)/nested_absmax")
        )
        #expect(abs(ours.offset - offset[0]) <= 1e-6 * abs(offset[0]))
        for (found, golden) in zip(ours.nested, nested) {
            #expect(abs(found - golden) <= 2e-6 * max(abs(golden), abs(offset[0])))
        }
        if ours.offset == offset[0], ours.nested == nested { #expect(ours.codes == codes) }
        let map = NF4Absmax.signedMap
        for (index, (found, golden)) in zip(ours.codes, codes).enumerated()
        where nested[index / 256] > 0 {
            let value = (absmax[index] - offset[0]) / nested[index / 256]
            let slack = abs(map[Int(found)] - value) - abs(map[Int(golden)] - value)
            #expect(slack <= 2 / 65_535)
        }
    }

    @Test(arguments: cases.filter { $0.kind != "nf4" })
    func gptqAndAwqTensorsAreRead(golden: Case) throws {
        let n = golden.name
        let isGPTQ = golden.kind == "gptq"
        let layout = try Int4Layout(
            isGPTQ ? .gptq(version: golden.version) : .awq, out: golden.out, width: golden.width,
            words: (try values("\(n)/qweight"), try values("\(n)/qzeros")),
            scales: try values("\(n)/scales", Float16.self).map(Float.init),
            groupOfInput: isGPTQ ? try values("\(n)/g_idx") : nil)
        let found = layout.frozen(on: backend)
        #expect((found.format == .float16) == n.contains("uneven"))
        let golden = try values("\(n)/dequantised", Float.self)
        let exact = found.format == .float16 ? golden.map { Float(Float16($0)) } : golden
        #expect(found.dequantised(to: .float32).floats() == exact)
    }

    @Test func layoutsThatLieAreRefused() {
        let zeros = [Int32](repeating: 0, count: 8)
        let scales = [Float](repeating: 1, count: 8)
        #expect(throws: Int4LayoutError.self) {
            try Int4Layout(.awq, out: 8, width: 9, words: (zeros, zeros), scales: scales)
        }
        #expect(throws: Int4LayoutError.self) {
            try Int4Layout(
                .gptq(version: 1), out: 8, width: 8, words: (zeros, [0]), scales: scales,
                groupOfInput: [0, 0, 0, 0, 0, 0, 0, 1])
        }
    }

    @Test func aSerialisedWeightOfBitsandbytesIsRead() throws {
        let golden = try #require(QuantisationTests.cases.first { $0.width == 1024 })
        let n = golden.name
        var state = #"{"quant_type": "nf4", "blocksize": 64, "dtype": "float32", "#
        state += #""shape": [\#(golden.out), \#(golden.width)]"#
        var plain = NF4Layout.Parts(
            codes: try values("\(n)/codes"), state: Array((state + "}").utf8))
        plain.absmax = try values("\(n)/absmax")
        #expect(
            FrozenWeight(try NF4Layout(plain).weight(on: backend)).dequantised(to: .float32)
                .floats() == (try values("\(n)/dequantised")))
        let offset: [Float] = try values("\(n)/offset")
        state += #", "nested_blocksize": 256, "nested_offset": \#(Double(offset[0]))}"#
        var nested = NF4Layout.Parts(codes: plain.codes, state: Array(state.utf8))
        nested.absmaxCodes = try values("\(n)/nested_codes")
        nested.nestedAbsmax = try values("\(n)/nested_absmax")
        nested.nestedMap = try values("\(n)/map")
        #expect(
            FrozenWeight(try NF4Layout(nested).weight(on: backend)).dequantised(to: .float32)
                .floats() == (try values("\(n)/dequantised_nested")))
        plain.codes.removeLast()
        #expect(throws: NF4LayoutError.self) { try NF4Layout(plain) }
        #expect(throws: NF4LayoutError.self) { try NF4Layout(.init(codes: [], state: [1, 2])) }
    }
}

/// Tensors of a golden file as numbers.
enum GoldenNumbers {
    static func read<Number>(_ file: GoldenFile, _ name: String) throws -> [Number] {
        let bytes = [UInt8](try #require(file.tensor(name)).bytes)
        return bytes.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: MemoryLayout<Number>.size).map {
                bytes.loadUnaligned(fromByteOffset: $0, as: Number.self)
            }
        }
    }
}

/// The NF4 goldens of the shared sets, in the folder that `FOVEA_GOLDENS` names.
@Suite struct SharedNF4Tests {
    static let files: [URL] = {
        guard let set = ProcessInfo.processInfo.environment["FOVEA_GOLDENS"] else { return [] }
        let folder = URL(filePath: set)
        let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path)
        return (names ?? []).sorted()
            .map { folder.appending(path: "\($0)/golden/nf4/nf4.safetensors") }
            .filter { FileManager.default.fileExists(atPath: $0.path) }
    }()

    @Test(arguments: files) func theSamplesAreReproduced(url: URL) throws {
        let (file, backend) = (try GoldenFile(url), try CPUBackend(threads: 2))
        for name in file.names(ending: ".weight_source") {
            let (_, shape, _) = try #require(file.tensor("\(name).weight_source"))
            func floats(_ part: String) throws -> [Float] {
                try GoldenNumbers.read(file, "\(name).\(part)")
            }
            let codes: [UInt8] = try GoldenNumbers.read(file, "\(name).sq.packed")
            let w = Tensor(try floats("weight_source"), Shape(shape), on: backend)
            let found = NF4Weight(quantising: w)
            #expect(found.codes.bytes() == codes, "\(name)")
            #expect(found.absmax.floats() == (try floats("sq.absmax")), "\(name)")
            let dequantised = FrozenWeight(found).dequantised(to: .float32).floats()
            #expect(dequantised == (try floats("sq.dequant")), "\(name)")
            let nested = NF4Absmax(
                codes: try GoldenNumbers.read(file, "\(name).dq.absmax"),
                nested: try floats("dq.nested_absmax"), offset: try floats("dq.offset")[0],
                map: try GoldenNumbers.read(file, "nested_code"))
            let weight = NF4Weight(shape: w.shape, codes: found.codes, absmax: nested)
            let again = FrozenWeight(weight).dequantised(to: .float32).floats()
            for (found, golden) in zip(again, try floats("dq.dequant")) {
                #expect(abs(found - golden) <= 1e-6 * abs(golden) + 1e-8)
            }
        }
    }
}

extension GoldenFile {
    /// Names of tensors with an ending, without it.
    func names(ending: String) -> [String] {
        names.filter { $0.hasSuffix(ending) }.map { String($0.dropLast(ending.count)) }
    }
}
