import Foundation
import Numerics
import TensorFiles
import Testing

@testable import Layers

/// Checkpoints as bitsandbytes, AutoGPTQ, AutoAWQ and compressed-tensors write them
/// (scripts/make-goldens/quantised_checkpoints.py), and what these make of them.
struct QuantisedTensorsGoldenTests {
    private static let folder: URL = {
        let own = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Goldens/quantised")
        guard let set = ProcessInfo.processInfo.environment["FOVEA_GOLDENS"] else { return own }
        let other = URL(filePath: set).appending(path: "quantised")
        return FileManager.default.fileExists(atPath: other.path) ? other : own
    }()

    private static let cases: [String] =
        (try? FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()) ?? []

    private struct ModelConfig: Decodable { let quantization_config: QuantisationConfig }

    @Test func thereAreCases() { #expect(!QuantisedTensorsGoldenTests.cases.isEmpty) }

    @Test(arguments: cases)
    func weightsAreWhatTheirLibraryMakesOfThem(name: String) throws {
        let folder = QuantisedTensorsGoldenTests.folder.appending(path: name)
        let text = try Data(contentsOf: folder.appending(path: "config.json"))
        let config = try JSONDecoder().decode(ModelConfig.self, from: text).quantization_config
        let checkpoint = try Checkpoint(folder: folder.path)
        let weights = QuantisedCheckpoint(checkpoint, config: config)
        let backend = try CPUBackend()
        var left = Set(checkpoint.tensors.map(\.name))
        for expected in try Checkpoint(folder: folder.path, stem: "expected").tensors {
            let tensor = try Checkpoint(folder: folder.path, stem: "expected")
                .tensor(named: expected.name)
            let (weight, consumed) = try weights.linearWeight(
                expected.name, outWidth: expected.shape[0], inWidth: expected.shape[1],
                as: .float32, on: backend)
            try expect(weight, isNear: tensor.floats, as: expected.name)
            for name in consumed { #expect(left.remove(name) != nil, "\(name) twice") }
        }
        // Everything in the file is part of some layer.
        #expect(left.isEmpty)
    }

    /// Multiplying with a code's scale rounds once here and there; nothing else may differ.
    private func expect(
        _ weight: LinearWeight, isNear expected: [Float], as module: String
    ) throws {
        let found: [Float]
        switch weight {
        case .plain(let tensor): found = tensor.floats()
        case .frozen(let frozen): found = frozen.dequantised(to: .float32).floats()
        }
        try #require(found.count == expected.count)
        let isQuantised = if case .frozen = weight { true } else { false }
        #expect(isQuantised == (module != "lm_head"))
        for (found, expected) in zip(found, expected) {
            #expect(abs(found - expected) <= 2e-7 * abs(expected))
            guard abs(found - expected) <= 2e-7 * abs(expected) else { break }
        }
    }
}
