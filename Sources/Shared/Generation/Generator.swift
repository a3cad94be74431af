package import Base
import Layers
package import Models
import Numerics
import Text

/// Answers prompts, several at once, without a server: evaluation while training, offline batches
/// and the command line. One thread owns it.
package final class Generator {
    private let model: any VisionLanguageModel
    private let tokenizer: Tokenizer
    private let runner: StepRunner
    private var scheduler: Scheduler
    private var encoded: EncoderCache<Tensor>
    private var requests: [Int: ActiveRequest] = [:]
    private var sequences: [SequenceID: ActiveSequence] = [:]
    private var submitted = 0
    private let clock: @Sendable () -> MonotonicTime

    /// - Parameters:
    ///   - compressesCache: keys and values in int8
    ///   - imageRowsMax: rows of encoded images that are kept for requests with the same images
    ///   - clock: gives the time
    package init(
        _ loaded: LoadedModel, _ limits: SchedulerLimits, compressesCache: Bool = false,
        imageRowsMax: Int = 1 << 14,
        clock: @escaping @Sendable () -> MonotonicTime = { MonotonicTime.now() }
    ) {
        self.clock = clock
        encoded = EncoderCache(rowsMax: imageRowsMax)
        (model, tokenizer) = (loaded.model, loaded.inputs.chat.tokenizer)
        scheduler = Scheduler(limits)
        let cache = KeyValueCache(
            for: loaded.model, pages: limits.pages, pageRows: limits.pageRows,
            compressed: compressesCache)
        cacheBytes = cache.byteCount
        runner = StepRunner(loaded.model, cache, pageRows: limits.pageRows)
    }

    /// Bytes of the pages of all layers.
    package let cacheBytes: Int
    /// Answers that are being written.
    package var sequencesRunning: Int { scheduler.sequencesRunning }
    /// Answers that wait for pages.
    package var sequencesWaiting: Int { scheduler.sequencesWaiting }

    /// How far a request is; nil before its submission and after its end.
    package func progress(of number: Int) -> RequestProgress? { requests[number]?.progress }

    /// Whether nothing is left to answer.
    package var isIdle: Bool { scheduler.isIdle }
    /// Pages that no sequence reads; what some of them hold may be read again.
    package var pagesFree: Int { scheduler.pages.pagesFree + scheduler.pagesCached }
    /// What was counted since the beginning.
    package var counts: SchedulerCounts { scheduler.counts }
    /// Images that were asked for, and how many did not have to be encoded.
    package var imageCounts: (asked: Int, found: Int) { (encoded.asked, encoded.found) }

    /// Takes in a request.
    /// - Returns: its number, by which events name it
    package func submit(_ request: GenerationRequest) throws(GenerationError) -> Int {
        try request.check()
        let usage = TokenUsage(request.input)
        let (rows, lengthMax) = (request.input.ids.count, model.decoder.config.lengthMax)
        guard rows < lengthMax else {
            throw .promptTooLong(
                textTokens: usage.textTokens, imageTokens: usage.imageTokens, tokensMax: lengthMax)
        }
        try checkTokens(of: request.input)
        try checkAdapter(of: request)
        var request = request
        request.tokensMax = min(request.tokensMax, lengthMax - rows)
        let ids = try scheduler.submit(
            promptRows: rows, tokensMax: request.tokensMax, samples: request.samples,
            request.terms(pageRows: scheduler.limits.pageRows))
        defer { submitted += 1 }
        requests[submitted] = ActiveRequest(request)
        for (sample, id) in ids.enumerated() {
            sequences[id] = ActiveSequence(
                number: submitted, sample: sample, of: request,
                AnswerText(tokenizer, stops: request.stopTexts))
        }
        return submitted
    }

    /// Ends the answers to a request.
    package func cancel(_ number: Int) {
        let ended = Set(sequences.filter { $0.value.number == number }.keys)
        scheduler.cancel(ended)
        for id in ended { end(id) }
    }

    /// Computes one pass.
    /// - Returns: what it brought, in the order of its rows
    package func step() -> [GenerationEvent] {
        let plan = scheduler.planStep()
        let parts = plan.slices.map(rows(of:))
        let logits = runner.logits(parts)
        let sampled = plan.slices.filter(\.isSampled).map(\.sequence)
        let events = logits.map { take($0, sampled) } ?? []
        let ended = events.filter { $0.result != nil }.map(\.sequence)
        scheduler.completeStep(plan, ended: Set(ended))
        for id in ended { end(id) }
        return events
    }

    /// Answers requests together.
    /// - Parameter onEvent: called with each piece of text as it comes, and with each end
    /// - Returns: for each request its answers
    package func results(
        of requests: [GenerationRequest], onEvent: (GenerationEvent) -> Void = { _ in }
    ) throws(GenerationError) -> [[GenerationResult]] {
        var numbers: [Int] = []
        do throws(GenerationError) {
            for request in requests { numbers.append(try submit(request)) }
        } catch {
            for number in numbers { cancel(number) }
            throw error
        }
        var results: [Int: [Int: GenerationResult]] = [:]
        while !isIdle {
            for event in step() {
                if let result = event.result {
                    results[event.request, default: [:]][event.sample] = result
                }
                onEvent(event)
            }
        }
        return numbers.map { number in
            (results[number] ?? [:]).sorted { $0.key < $1.key }.map(\.value)
        }
    }

    /// Parameters that an adapter holds as a whole stand for all rows of a pass.
    private func checkAdapter(of request: GenerationRequest) throws(GenerationError) {
        for other in requests.values.map(\.request)
        where other.adapter?.name != request.adapter?.name {
            let isWhole = [request, other].contains { $0.adapter?.terms.hasReplacements == true }
            guard !isWhole else { throw .adaptersApart }
        }
    }

    private func checkTokens(of input: ModelInput) throws(GenerationError) {
        let vocabulary = model.decoder.config.vocabulary
        var isImage = [Bool](repeating: false, count: input.ids.count)
        for row in input.imageRows.joined() where isImage.indices.contains(row) {
            isImage[row] = true
        }
        for (row, id) in input.ids.enumerated() where !isImage[row] {
            guard (0..<vocabulary).contains(Int(id)) else {
                throw .tokenOutOfRange(id: Int(id), vocabulary: vocabulary)
            }
        }
    }

    private func rows(of slice: StepPlan.Slice) -> StepRunner.Rows {
        guard let sequence = sequences[slice.sequence] else {
            preconditionFailure("generator: no sequence \(slice.sequence.number)")
        }
        guard var active = requests[sequence.number] else {
            preconditionFailure("generator: no request \(sequence.number)")
        }
        let now = clock()
        if active.progress.begin == nil {
            active.progress.begin = now
            active.progress.rowsFound = slice.rows.lowerBound
        }
        if active.needsFeatures(slice.rows) {
            active.features = features(of: active.request)
            active.progress.imageSeconds = clock().seconds(since: now)
        }
        requests[sequence.number] = active
        return StepRunner.Rows(
            slice: slice, ids: active.tokens(slice.rows, sequence.result.ids),
            features: active.features, imageRows: active.request.input.imageRows,
            adapter: active.request.adapter)
    }

    /// What the images of a prompt became, each encoded once while there is room to keep it.
    private func features(of request: GenerationRequest) -> Tensor {
        let images = request.input.images
        guard let names = request.imageNames, names.count == images.count else {
            return runner.features(of: images, request.adapter)
        }
        let weights = request.adapter?.name ?? ""
        var parts = names.map { encoded.value([weights, $0]) }
        let missing = parts.indices.filter { parts[$0] == nil }
        if !missing.isEmpty {
            let new = runner.features(of: missing.map { images[$0] }, request.adapter)
            var end = 0
            for index in missing {
                let count = images[index].tokenCount
                let part = new.rowRange(end..<end + count)
                encoded.keep(part, rows: count, as: [weights, names[index]])
                parts[index] = part
                end += count
            }
        }
        let all = parts.compactMap { $0 }
        return all.count == 1 ? all[0] : .concatenated(all)
    }

    /// Chooses the tokens of sequences and says what they bring.
    private func take(_ logits: Tensor, _ ids: [SequenceID]) -> [GenerationEvent] {
        let wanted = ids.map { id in
            guard let sequence = sequences[id], let active = requests[sequence.number] else {
                preconditionFailure("generator: no sequence \(id.number)")
            }
            return (id: id, sequence: sequence, active: active)
        }
        let tokens = logits.sampled(wanted.map { $0.sequence.sampling($0.active.request) })
        let reported = wanted.indices.filter {
            wanted[$0].active.request.topLogProbabilities != nil
        }
        let width = logits.shape[1]
        let floats =
            reported.isEmpty ? [] : logits.gathered(rows: reported.map(Int32.init)).floats()
        var events: [GenerationEvent] = []
        for (row, one) in wanted.enumerated() {
            var sequence = one.sequence
            let place = reported.firstIndex(of: row)
            let own = place.map { Array(floats[$0 * width..<($0 + 1) * width]) }
            let (text, isEnd) = sequence.take(tokens[row], one.active.request, own)
            if sequence.result.ids.count == 1 { requests[sequence.number]?.promptsLeft -= 1 }
            sequences[one.id] = sequence
            events.append(
                GenerationEvent(
                    request: sequence.number, sample: sequence.sample, text: text,
                    logProbability: own == nil ? nil : sequence.result.logProbabilities.last,
                    result: isEnd ? sequence.result : nil, progress: one.active.progress,
                    sequence: one.id))
        }
        return events
    }

    private func end(_ id: SequenceID) {
        guard let sequence = sequences.removeValue(forKey: id) else { return }
        guard !sequences.values.contains(where: { $0.number == sequence.number }) else { return }
        requests[sequence.number] = nil
    }
}

/// What a pass brought for one answer.
package struct GenerationEvent: Sendable {
    /// As `submit` named it.
    package let request: Int
    /// Which of its answers.
    package let sample: Int
    /// What follows the text so far; empty while it is not certain.
    package let text: String
    /// Of the token that the pass brought, if asked for.
    package let logProbability: TokenLogProbability?
    /// The whole answer, if it has ended.
    package let result: GenerationResult?
    /// How far its request is.
    package let progress: RequestProgress
    let sequence: SequenceID
}

/// How far a request is.
package struct RequestProgress: Sendable, Hashable {
    /// When the first of its rows was computed; nil while it waits.
    package var begin: MonotonicTime?
    /// Rows of the prompt that an earlier request had computed.
    package var rowsFound = 0
    /// How long its images took.
    package var imageSeconds = 0.0
}
