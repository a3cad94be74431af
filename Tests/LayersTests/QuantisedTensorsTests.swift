import Base
import Foundation
import Numerics
import TensorFiles
import Testing

@testable import Layers

/// What is refused when a layer's weight is read from tensors, and what is read besides.
struct QuantisedTensorsTests {
    private typealias Stored = (name: String, type: StoredType, shape: [Int], bytes: [UInt8])

    /// Reads module `m` from a checkpoint of these tensors.
    private func read(
        _ tensors: [Stored], out: Int, width: Int, config: String? = nil
    ) throws -> (weight: LinearWeight, consumed: [String]) {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "fovea-layers-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        let planned = tensors.map { PlannedTensor($0.name, $0.type, $0.shape) }
        let plan = try CheckpointPlan(planned, shardBytesMax: 1 << 20)
        let writer = try CheckpointWriter(plan, folder: folder.path)
        for name in plan.tensors.map(\.name) {
            for tensor in tensors where tensor.name == name {
                var failure: TensorWriteError?
                tensor.bytes.withUnsafeBytes { bytes in
                    do throws(TensorWriteError) {
                        try writer.append(bytes, to: name)
                    } catch { failure = error }
                }
                if let failure { throw failure }
            }
        }
        try writer.finish()
        let read = try config.map { try QuantisationConfig(json: Array($0.utf8)) }
        return try QuantisedCheckpoint(try Checkpoint(folder: folder.path), config: read)
            .linearWeight(
                "m", outWidth: out, inWidth: width, as: .float32, on: try CPUBackend())
    }

    private func zeros(_ name: String, _ type: StoredType, _ shape: [Int]) -> Stored {
        let count = shape.reduce(1, *) * type.bits / 8
        return (name, type, shape, [UInt8](repeating: 0, count: count))
    }

    /// The message of the error that reading ends with.
    private func refusal(
        _ tensors: [Stored], out: Int = 16, width: Int = 8, config: String? = nil
    ) throws -> String {
        do {
            _ = try read(tensors, out: out, width: width, config: config)
            Issue.record("nothing was refused")
            return ""
        } catch let error as QuantisedTensorError {
            #expect(!error.reason.isEmpty)
            return error.message
        }
    }

    @Test func aWeightOfAnotherShapeIsRefusedWithBothShapes() throws {
        let message = try refusal([zeros("m.weight", .bfloat16, [8, 16])])
        #expect(message == "tensor m.weight has shape [8, 16]; its layer needs [16, 8]")
    }

    @Test func aModuleWithoutWeightIsNamed() throws {
        let message = try refusal([zeros("m.bias", .float32, [16])])
        #expect(message == "module m has neither weight, weight_packed nor qweight")
    }

    @Test func bytesWithoutScalesAreRefused() throws {
        let message = try refusal([zeros("m.weight", .int8, [16, 8])])
        #expect(message == "tensor m.weight has elements of I8; F32, BF16, F16 is read")
    }

    @Test func eightBitFloatsAreRefused() throws {
        let tensors = [
            zeros("m.weight", .float8E4M3, [16, 8]), zeros("m.weight_scale", .float32, [1]),
        ]
        #expect(try refusal(tensors).contains("elements of F8_E4M3"))
    }

    @Test(arguments: [
        ("m.qzeros", [2, 2], [1, 2]), ("m.scales", [16], [16, 16]), ("m.g_idx", [7], [8]),
        ("m.qweight", [2, 16], [1, 16]),
    ])
    func eachTensorOfGPTQIsChecked(name: String, shape: [Int], expected: [Int]) throws {
        var shapes = [
            "m.qweight": [1, 16], "m.qzeros": [1, 2], "m.scales": [1, 16], "m.g_idx": [8],
        ]
        shapes[name] = shape
        let tensors = shapes.sorted { $0.key < $1.key }.map { name, shape in
            zeros(name, name == "m.scales" ? .float16 : .int32, shape)
        }
        let message = try refusal(tensors, config: "{\"quant_method\":\"gptq\",\"bits\":4}")
        #expect(message == "tensor \(name) has shape \(shape); its layer needs \(expected)")
    }

    @Test(arguments: [
        "{\"quant_method\":\"gptq\",\"bits\":3}",
        "{\"quant_method\":\"awq\",\"bits\":4,\"version\":\"gemv\"}",
        "{\"quant_method\":\"gptq\",\"bits\":4,\"checkpoint_format\":\"marlin\"}",
    ])
    func otherLayoutsOfFourBitsAreUnsupported(config: String) throws {
        let message = try refusal([zeros("m.qweight", .int32, [1, 16])], config: config)
        #expect(message.hasPrefix("module m is quantised as "))
    }

    @Test func aStoredShapeThatDiffersFromTheLayerIsRefused() throws {
        let shape = [16, 7].flatMap { [UInt8($0)] + [UInt8](repeating: 0, count: 7) }
        let message = try refusal([
            zeros("m.weight_packed", .int32, [16, 1]), zeros("m.weight_scale", .float32, [16, 1]),
            ("m.weight_shape", .int64, [2], shape),
        ])
        #expect(message == "tensor m.weight_shape has shape [16, 7]; its layer needs [16, 8]")
    }

    @Test func anInputInAGroupThatIsNotThereIsRefused() throws {
        let order: [UInt8] = [9, 0, 0, 0] + [UInt8](repeating: 0, count: 28)
        let message = try refusal([
            zeros("m.weight_packed", .int32, [16, 1]), zeros("m.weight_scale", .float32, [16, 1]),
            ("m.weight_g_idx", .int32, [8], order),
        ])
        #expect(message == "module m: an input is in group 9; there are 1")
    }

    @Test func floatsOfFourBitsAreUnsupported() throws {
        let config =
            "{\"quant_method\":\"compressed-tensors\",\"config_groups\":"
            + "{\"g\":{\"weights\":{\"type\":\"float\",\"num_bits\":4}}}}"
        let message = try refusal([zeros("m.weight_packed", .int32, [16, 1])], config: config)
        #expect(message.contains("float of 4 bits"))
    }

    @Test func widthsThatNoLayerHasAreRefused() throws {
        let message = try refusal([zeros("m.weight", .float32, [1])], out: Int.max, width: -1)
        #expect(message.contains("allowed are 1 to 16777216"))
    }

    @Test(arguments: ["", "[]", "{\"quant_method\":3}", "{}"])
    func aBadConfigIsRefused(text: String) {
        #expect(throws: QuantisedTensorError.self) {
            try QuantisationConfig(json: Array(text.utf8))
        }
    }

    /// The least byte has no positive counterpart, which tricks with signs in products forget.
    @Test func productsWithTheLeastByteAreExact() throws {
        let scales = [Float](repeating: 0.5, count: 16).flatMap { value in
            withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init)
        }
        let (weight, consumed) = try read(
            [
                ("m.weight", .int8, [16, 64], [UInt8](repeating: 0x80, count: 16 * 64)),
                ("m.weight_scale", .float32, [16, 1], scales),
            ], out: 16, width: 64)
        #expect(consumed == ["m.weight", "m.weight_scale"])
        let x = Tensor([Float](repeating: 1, count: 3 * 64), [3, 64], on: try CPUBackend())
        guard case .frozen(let frozen) = weight else { throw QuantisedTensorError.config }
        for y in [x.linear(weight), x.linearOfBytes(frozen)] {
            for value in y.floats() { #expect(abs(value + 64 * 64) < 1) }
        }
    }
}
