import Generation
import GoldenModels
import Layers
import Models
import Numerics
import Testing
import Text

/// Answers through adapters of the reference set.
struct AdapterAnswerGoldenTests {
    /// Alone, and in one batch with prompts that go through no adapter or another.
    @Test(arguments: GoldenFamily.all)
    func answersThroughAdaptersAreTheSameInAnyCompany(golden: GoldenFamily) throws {
        let model = try golden.load(on: cpu)
        let cases = try golden.cases()
        let adapters = golden.folders("golden").filter {
            golden.has("golden/\($0)/init/adapter_config.json")
        }
        let plain = try cases.map { try $0.request(model) }
        var asked: [(request: GenerationRequest, ids: [Int32])] = []
        for name in adapters {
            let node = try golden.json("golden/\(name)/info.json")
            guard let ids = node["greedy_ids_with_init_adapter"]?.elements.compactMap(\.int32),
                let one = cases.first(where: { $0.name == node["case"]?.string })
            else { continue }
            var request = try one.request(model)
            request.tokensMax = ids.count
            request.adapter = RequestAdapter(
                name: name,
                terms: try Adapter(folder: "\(golden.folder)/golden/\(name)/init", for: model).bound
            )
            asked.append((request, ids))
        }
        let limits = SchedulerLimits(
            pages: 256, pageRows: 16, rowsPerStepMax: 45, sequencesMax: 32)
        for (request, ids) in asked {
            let answers = try Generator(model, limits).results(of: [request])
            #expect(answers[0][0].ids == ids)
        }
        let together = try Generator(model, limits)
            .results(of: asked.map(\.request) + plain + asked.map(\.request))
        let expected = asked.map(\.ids) + cases.map(\.expectedIds) + asked.map(\.ids)
        #expect(together.map { $0[0].ids } == expected)
    }
}
