import Base
import Foundation
import GoldenModels
import Messages
import RPC
import Testing
import Text

@testable import InferenceService

/// Adapters of the reference set, loaded and served over the wire.
struct AdapterGoldenTests {
    /// An adapter with an answer of foreign software.
    private struct Sample {
        let folder: String
        let question: GoldenQuestion
        let ids: [Int]
    }

    private func samples(_ golden: GoldenFamily) throws -> [Sample] {
        let cases = try golden.cases()
        return try golden.folders("golden").compactMap { name in
            let folder = "golden/\(name)/init"
            guard golden.has("\(folder)/adapter_config.json") else { return nil }
            let node = try golden.json("golden/\(name)/info.json")
            guard let ids = node["greedy_ids_with_init_adapter"]?.elements.compactMap(\.int),
                let one = cases.first(where: { $0.name == node["case"]?.string })
            else { return nil }
            return Sample(
                folder: "\(golden.folder)/\(folder)", question: try GoldenQuestion(one, golden),
                ids: ids)
        }
    }

    private func load(
        _ harness: InferenceHarness, _ change: (inout LoadAdapterRequest) -> Void
    ) async throws -> LoadAdapterResponse {
        var request = LoadAdapterRequest()
        change(&request)
        return try await harness.client.call(
            Inference.loadAdapter, request, options: CallOptions(timeoutSeconds: 300))
    }

    private func ids(
        _ harness: InferenceHarness, _ sample: Sample, _ target: String
    ) async throws -> [Int] {
        var request = GenerateRequest(sample.question)
        request.target = target
        request.includeLogProbabilities = true
        request.sampling?.tokensMax = UInt32(sample.ids.count)
        let response = try await harness.generate(request)
        return response.answers[0].tokens.map { Int($0.chosen?.tokenID ?? 0) }
    }

    /// Each answers as the reference does, all in one batch with the base.
    @Test(arguments: GoldenFamily.all)
    func adaptersAnswerTogetherAsTheReference(golden: GoldenFamily) async throws {
        let samples = try samples(golden)
        try await InferenceHarness.with(golden, cachePages: 256) { harness in
            var names: [String] = []
            for (index, sample) in samples.enumerated() {
                let response = try await load(harness) {
                    $0.source = .directory(sample.folder)
                    $0.alias = "sample-\(index)"
                }
                let adapter = try #require(response.adapter)
                #expect(adapter.aliases == ["sample-\(index)"])
                #expect(!adapter.boundModules.isEmpty && adapter.rankMax > 0)
                #expect((adapter.effect?.logitChangeMax ?? 0) > 0)
                names += [adapter.name, "adapters/sample-\(index)"]
            }
            let answers = try await withThrowingTaskGroup(of: (Int, [Int]).self) { group in
                for (index, name) in names.enumerated() {
                    group.addTask {
                        (index, try await ids(harness, samples[index / 2], name))
                    }
                }
                group.addTask {
                    let question = try GoldenQuestion(golden)
                    let text = try await harness.generate(GenerateRequest(question)).answers[0].text
                    #expect(text == question.text)
                    return (-1, [])
                }
                return try await group.reduce(into: [Int: [Int]]()) { $0[$1.0] = $1.1 }
            }
            for index in names.indices { #expect(answers[index] == samples[index / 2].ids) }
        }
    }

    /// What is on disk at any moment after the answer is enough for another server.
    @Test(arguments: GoldenFamily.all.prefix(1))
    func adaptersAndAliasesAreThereAfterARestart(golden: GoldenFamily) async throws {
        let sample = try #require(try samples(golden).first)
        let first = try InferenceHarness(golden)
        let name = try await load(first) {
            $0.source = .directory(sample.folder)
            $0.alias = "kept"
        }.adapter?.name
        let copy = first.folder + "-later"
        try FileManager.default.copyItem(atPath: first.folder, toPath: copy)
        let second = try InferenceHarness(golden, folder: copy)
        let list = try await second.client.call(Inference.listAdapters, ListAdaptersRequest())
        #expect(list.adapters.map(\.name) == [name] && list.totalCount == 1)
        #expect(list.adapters.first?.aliases == ["kept"])
        #expect(try await ids(second, sample, "adapters/kept") == sample.ids)
        await second.close()
        await first.close()
    }

    @Test(arguments: GoldenFamily.all.prefix(1))
    func aliasesMoveOnlyWhereTheyAreExpected(golden: GoldenFamily) async throws {
        let samples = try samples(golden)
        try await InferenceHarness.with(golden) { harness in
            var digests: [String] = []
            for sample in samples.prefix(2) {
                let response = try await load(harness) { $0.source = .directory(sample.folder) }
                digests.append(response.adapter?.adapterSha256 ?? "")
            }
            @Sendable func move(
                _ digest: String, expecting expected: String
            ) async throws -> SetAliasResponse {
                try await harness.client.call(
                    Inference.setAlias,
                    .with {
                        $0.alias = "live"
                        ($0.adapterSha256, $0.expectedSha256) = (digest, expected)
                    })
            }
            let digest = digests[0]
            #expect(try await move(digest, expecting: "none").previousSha256 == "")
            let stale = await Refusal.of { _ = try await move(digest, expecting: "none") }
            #expect(stale?.code == .aborted && stale?.reason == "ETAG_MISMATCH")
            let used = await Refusal.of {
                _ = try await harness.client.call(
                    Inference.unloadAdapter, .with { $0.name = "adapters/live" })
            }
            #expect(used?.code == .failedPrecondition && used?.reason == "RESOURCE_IN_USE")
            let gone = try await harness.client.call(
                Inference.unloadAdapter,
                .with {
                    $0.name = "adapters/live"
                    ($0.removeAliases, $0.erase) = (true, true)
                })
            #expect(gone.adapterSha256 == digest && gone.removedAliases == ["live"])
            let unknown = try await harness.refusal { $0.target = "adapters/live" }
            #expect(unknown?.code == .notFound)
            let again = await Refusal.of { _ = try await move(digest, expecting: "") }
            #expect(again?.code == .notFound)
        }
    }

    /// Nothing that cannot be served takes the place of what is.
    @Test(arguments: GoldenFamily.all)
    func adaptersThatDoNotFitChangeNothing(golden: GoldenFamily) async throws {
        let other = try #require(GoldenFamily.all.first { $0.folder != golden.folder })
        let (own, foreign) = (try #require(try samples(golden).first), try samples(other).first)
        try await InferenceHarness.with(golden) { harness in
            let copy = "\(harness.folder)/foreign"
            let source = try #require(foreign?.folder)
            try FileManager.default.copyItem(atPath: source, toPath: copy)
            let wrong = await Refusal.of {
                _ = try await load(harness) { $0.source = .directory(copy) }
            }
            #expect(["ADAPTER_INVALID", "BASE_MISMATCH"].contains(wrong?.reason))
            let outside = await Refusal.of {
                _ = try await load(harness) { $0.source = .directory("/etc") }
            }
            #expect(outside?.code == .invalidArgument && outside?.fields == ["directory"])
            let digest = await Refusal.of {
                _ = try await load(harness) {
                    $0.source = .directory(own.folder)
                    $0.expectedSha256 = String(repeating: "a", count: 64)
                }
            }
            #expect(digest?.code == .dataLoss && digest?.reason == "DIGEST_MISMATCH")
            let dry = try await load(harness) {
                $0.source = .directory(own.folder)
                $0.validateOnly = true
            }
            #expect(dry.adapter?.adapterSha256.count == 64)
            let list = try await harness.client.call(Inference.listAdapters, ListAdaptersRequest())
            #expect(list.totalCount == 0)
            let kept = try FileManager.default.contentsOfDirectory(
                atPath: harness.folder + "/adapters")
            #expect(kept == [])
        }
    }
}
