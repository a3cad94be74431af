import Base
import Foundation
import GoldenModels
import Messages
import RPC
import Testing

@testable import TrainerService

/// Models, registered over the wire.
struct ModelTests {
    @Test(arguments: GoldenFamily.all)
    func aModelIsCountedByPartsAndNamedByItsWeights(golden: GoldenFamily) async throws {
        let datasets = try await TinyDatasets()
        let trainer = try await TinyTrainer(datasets)
        let model = try await trainer.client.call(
            Training.registerModel, .with { $0.directory = golden.description })
        #expect(model.parts.reduce(0) { $0 + $1.parameterCount } == model.parameterCount)
        #expect(model.parts.reduce(0) { $0 + $1.sizeBytes } > 0)
        let language = try #require(model.parts.first { $0.part == .languageModel })
        #expect(language.targetModules.contains("q_proj"))
        #expect(language.layerCount > 0)
        #expect(model.modelSha256.count == 64)
        #expect(model.contextTokensMax > 0)
        #expect(model.files.contains { $0.path == "config.json" })
        let got = try await trainer.client.call(
            Training.getModel, .with { $0.name = model.name })
        #expect(got == model)
        let weights = model.files.filter { $0.path.hasSuffix(".safetensors") }
        if weights.count == 1 { #expect(model.modelSha256 == weights.first?.contentSha256) }
        await trainer.close()
        await datasets.close()
    }

    @Test func whatIsNoModelIsRefusedWithFileAndTensor() async throws {
        let datasets = try await TinyDatasets()
        let trainer = try await TinyTrainer(datasets)
        let client = trainer.client
        for (directory, expected) in [
            ("", "FIELD_REQUIRED"), ("..", "FIELD_INVALID"), ("/etc", "FIELD_INVALID"),
            ("nothing-here", "FIELD_INVALID"), ("tokenizers", "MODEL_UNSUPPORTED"),
        ] {
            let seen = await reason {
                _ = try await client.call(
                    Training.registerModel, .with { $0.directory = directory })
            }
            #expect(seen == expected, "\(directory)")
        }
        let golden = try #require(TinyTrainer.model)
        let name = golden.description
        #expect(
            await reason {
                _ = try await client.call(
                    Training.registerModel,
                    .with {
                        $0.directory = name
                        $0.expectedSha256 = String(repeating: "0", count: 64)
                    })
            } == "DIGEST_MISMATCH")
        await trainer.close()
        await datasets.close()
    }

    @Test func aDamagedModelIsRefusedByTheNameOfItsTensor() async throws {
        let golden = try #require(TinyTrainer.model)
        let root = TrainerHarness.newFolder()
        try FileManager.default.createDirectory(
            atPath: root, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: root) }
        try FileManager.default.copyItem(atPath: golden.folder, toPath: "\(root)/m")
        let path = "\(root)/m/config.json"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let wider = text.replacing("\"num_hidden_layers\": 2", with: "\"num_hidden_layers\": 3")
        try #require(wider != text)
        try wider.write(toFile: path, atomically: true, encoding: .utf8)
        let folder = try ModelFolder("m", below: [root])
        #expect(throws: TrainerError.self) { try ModelShape(folder) }
        do { _ = try ModelShape(folder) } catch {
            #expect(error.message.contains("layers.2"), "\(error.message)")
        }
    }

    @Test func oneRequestIDRegistersOnce() async throws {
        let datasets = try await TinyDatasets()
        let trainer = try await TinyTrainer(datasets)
        let client = trainer.client
        let name = try #require(TinyTrainer.model).description
        var request = RegisterModelRequest()
        (request.modelID, request.directory) = ("tiny", name)
        request.requestID = UUID().uuidString
        let first = try await client.call(Training.registerModel, request)
        #expect(try await client.call(Training.registerModel, request) == first)
        request.requestID = UUID().uuidString
        let again = request
        #expect(
            await reason { _ = try await client.call(Training.registerModel, again) }
                == "RESOURCE_EXISTS")
        let listed = try await client.call(
            Training.listModels, .with { $0.filter = "parameter_count > 1000" })
        #expect(listed.models.map(\.name) == ["models/tiny"])
        await trainer.close()
        await datasets.close()
    }
}
