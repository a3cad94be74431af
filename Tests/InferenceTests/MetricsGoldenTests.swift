import GoldenModels
import Messages
import Operation
import RPC
import Testing

@testable import InferenceService

/// What Prometheus reads after some answers.
struct MetricsGoldenTests {
    @Test(arguments: GoldenFamily.all.prefix(1))
    func answersTheirImagesAndWhatWasFoundAreCounted(golden: GoldenFamily) async throws {
        try await InferenceHarness.with(golden) { harness in
            let request = try GenerateRequest(GoldenQuestion(golden, withImages: true))
            let first = try await harness.generate(request)
            let second = try await harness.generate(request)
            #expect(first.answers.map(\.text) == second.answers.map(\.text))
            let found = second.usage?.cachedTokens ?? 0
            #expect(first.usage?.cachedTokens == 0 && found > 0)
            let text = String(decoding: harness.metrics.exposition().utf8, as: UTF8.self)
            let model = "model_name=\"\(first.servedBy?.model ?? "")\",engine=\"0\""
            let prompts = (first.usage?.promptTokens ?? 0) * 2
            #expect(prompts > 0)
            for line in [
                "vllm:num_requests_running{\(model)} 0", "vllm:kv_cache_usage_perc{\(model)} 0",
                "vllm:prefix_cache_queries_total{\(model)} \(prompts)",
                "vllm:prefix_cache_hits_total{\(model)} \(found)",
                "vllm:prompt_tokens_total{\(model)} \(prompts)",
                "vllm:request_success_total{\(model),finished_reason=\"length\"} 2",
                "vllm:time_to_first_token_seconds_count{\(model)} 2",
                "fovea_adapter_requests_total{\(model),adapter=\"base\"} 2",
                "fovea_images_total{\(model)} \(request.images.count * 2)",
            ] {
                #expect(text.contains(line + "\n"), "\(line)")
            }
        }
    }
}
