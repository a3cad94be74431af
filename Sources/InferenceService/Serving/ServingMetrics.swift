import Base
import Generation
import Messages
import Operation

/// What Prometheus is told of answers: series with the names, labels and bounds of vLLM's, so that
/// its dashboards show this service too, and own ones for adapters and images.
final class ServingMetrics: Sendable {
    private let promptTokens, answerTokens: Counter
    private let ends: MetricFamily<Counter>
    private let firstToken, total, queue, prefill, decode, perToken: Operation.Histogram
    private let adapterRequests, adapterTokens: MetricFamily<Counter>
    private let adapterSeconds: MetricFamily<Operation.Histogram>
    private let images, pixels, imageTokens: Counter
    private let imageDecode, imageResize, imageEncode: Operation.Histogram
    private let model: [String]

    /// - Parameter model: the value of the label `model_name`
    init(_ registry: MetricsRegistry, model name: String, engine: Engine) {
        let labels = ["model_name", "engine"]
        let model = [name, "0"]
        func counter(_ name: String, _ help: String) -> Counter {
            registry.counters(name, help: help, labels: labels)[model]
        }
        func seconds(_ name: String, _ help: String, _ bounds: [Double]) -> Operation.Histogram {
            registry.histograms(name, help: help, labels: labels, bounds: bounds)[model]
        }
        self.model = model
        registry.add(EngineSeries(engine: engine, model: name))
        promptTokens = counter("vllm:prompt_tokens_total", "Tokens of prompts.")
        answerTokens = counter("vllm:generation_tokens_total", "Tokens of answers.")
        ends = registry.counters(
            "vllm:request_success_total", help: "Answers by why they ended.",
            labels: labels + ["finished_reason"])
        firstToken = seconds(
            "vllm:time_to_first_token_seconds", "From arrival to the first token.",
            Self.firstTokenBounds)
        perToken = seconds(
            "vllm:request_time_per_output_token_seconds", "Mean time of a token after the first.",
            Self.tokenBounds)
        total = seconds(
            "vllm:e2e_request_latency_seconds", "From arrival to the end.", Self.requestBounds)
        queue = seconds(
            "vllm:request_queue_time_seconds", "Waiting for a place.", Self.requestBounds)
        prefill = seconds(
            "vllm:request_prefill_time_seconds", "Reading the prompt.", Self.requestBounds)
        decode = seconds(
            "vllm:request_decode_time_seconds", "Writing the answer.", Self.requestBounds)
        let ofAdapters = labels + ["adapter"]
        adapterRequests = registry.counters(
            "fovea_adapter_requests_total", help: "Requests answered, by adapter.",
            labels: ofAdapters)
        adapterTokens = registry.counters(
            "fovea_adapter_generation_tokens_total", help: "Tokens of answers, by adapter.",
            labels: ofAdapters)
        adapterSeconds = registry.histograms(
            "fovea_adapter_request_seconds", help: "From arrival to the end, by adapter.",
            labels: ofAdapters, bounds: Self.requestBounds)
        images = counter("fovea_images_total", "Images of requests.")
        pixels = counter("fovea_image_pixels_total", "Pixels of images as they came.")
        imageTokens = counter("fovea_image_tokens_total", "Tokens that images became.")
        let bounds = Operation.Histogram.secondsBounds
        imageDecode = seconds(
            "fovea_image_decode_seconds", "Decoding a request's images.", bounds)
        imageResize = seconds(
            "fovea_image_resize_seconds", "Resizing a request's images.", bounds)
        imageEncode = seconds(
            "fovea_image_encode_seconds", "The vision tower on a request's images.", bounds)
    }

    /// Counts a request that was answered.
    func count(_ response: GenerateResponse, _ target: ServingTarget) {
        let (usage, timing) = (response.usage, response.timing ?? AnswerTiming())
        promptTokens.add(UInt64(usage?.promptTokens ?? 0))
        answerTokens.add(UInt64(usage?.answerTokens ?? 0))
        for answer in response.answers {
            ends[model + [answer.finishReason == .length ? "length" : "stop"]].add()
        }
        firstToken.observe(timing.firstTokenSeconds)
        total.observe(timing.totalSeconds)
        queue.observe(timing.queueSeconds)
        prefill.observe(timing.prefillSeconds)
        decode.observe(timing.decodeSeconds)
        if let tokens = response.answers.map(\.tokenCount).max(), tokens > 1 {
            perToken.observe(timing.decodeSeconds / Double(tokens - 1))
        }
        let adapter = target.adapter.map { String($0.name.prefix(12)) }
        let name = target.alias.isEmpty ? adapter ?? "base" : target.alias
        adapterRequests[model + [name]].add()
        adapterTokens[model + [name]].add(UInt64(usage?.answerTokens ?? 0))
        adapterSeconds[model + [name]].observe(timing.totalSeconds)
        countImages(response.images, timing)
    }

    /// Counts a request that ended without its answer.
    func countAborted() { ends[model + ["abort"]].add() }

    private func countImages(_ uses: [ImageUse], _ timing: AnswerTiming) {
        guard !uses.isEmpty else { return }
        images.add(UInt64(uses.count))
        for use in uses {
            pixels.add(UInt64(use.widthPixels) * UInt64(use.heightPixels))
            imageTokens.add(UInt64(use.tokenCount))
        }
        imageDecode.observe(timing.decodeImageSeconds)
        imageResize.observe(timing.resizeImageSeconds)
        imageEncode.observe(timing.encodeImageSeconds)
    }

    private static let firstTokenBounds: [Double] = [
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20,
        40, 80, 160, 640, 2560,
    ]
    private static let tokenBounds: [Double] = [
        0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40,
        80,
    ]
    private static let requestBounds: [Double] = [
        0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920,
        7680,
    ]
}

/// What the engine says of itself after each pass.
private struct EngineSeries: MetricsSource {
    let engine: Engine
    let model: String

    func write(to text: inout MetricsText) {
        let reading = engine.reading.with { $0 }
        let (load, counts) = (reading.load, reading.counts)
        let labels = [MetricLabel("model_name", model), MetricLabel("engine", "0")]
        let used = 1 - Double(load.pagesFree) / Double(max(1, reading.pages))
        let rows: [(String, MetricsText.Kind, String, Double)] = [
            ("num_requests_running", .gauge, "Answers that are written.", Double(load.running)),
            ("num_requests_waiting", .gauge, "Answers that wait.", Double(load.waiting)),
            ("kv_cache_usage_perc", .gauge, "Pages that answers read, 1 for all.", used),
            (
                "num_preemptions_total", .counter, "Answers that gave their pages back.",
                Double(counts.preemptions)
            ),
            (
                "prefix_cache_queries_total", .counter, "Tokens looked for among kept pages.",
                Double(counts.prefixRowsAsked)
            ),
            (
                "prefix_cache_hits_total", .counter, "Tokens found among kept pages.",
                Double(counts.prefixRowsFound)
            ),
            (
                "mm_cache_queries_total", .counter, "Images looked for among encoded ones.",
                Double(reading.imagesAsked)
            ),
            (
                "mm_cache_hits_total", .counter, "Images found among encoded ones.",
                Double(reading.imagesFound)
            ),
        ]
        for (name, kind, help, value) in rows {
            text.metric("vllm:" + name, kind, help: help)
            text.sample("vllm:" + name, labels, value)
        }
    }
}
