import Base
import Generation
import Models

/// The one owner of a model's cache and of what is being answered. It runs on a thread of its own;
/// requests, and callers that leave, come in between two passes.
actor Engine {
    /// A request that somebody waits for.
    private struct Client {
        let continuation: AsyncThrowingStream<EngineEvent, any Error>.Continuation
        /// When it no longer wants to wait; nil for never.
        let queueDeadline: MonotonicTime?
        var answersLeft: Int
        var isBegun = false
        /// Its number in the generator; nil while it waits for others to end.
        var number: Int?
    }

    /// How full the engine is.
    struct Load: Sendable {
        let running, waiting, pagesFree: Int
    }

    /// What it is and has done after a pass, for whoever cannot wait for the next.
    struct Reading: Sendable {
        var load: Load
        let pages: Int
        var counts = SchedulerCounts()
        var imagesAsked = 0
        var imagesFound = 0
    }

    /// Taken after each pass.
    nonisolated let reading: Lock<Reading>
    private let executor = ThreadExecutor(named: "engine")
    private let model: LoadedModel
    private let generator: Generator
    private let limits: SchedulerLimits
    private let clock: @Sendable () -> MonotonicTime
    /// By ticket, which grows with each request.
    private var clients: [Int: Client] = [:]
    private var tickets: [Int: Int] = [:]
    /// Requests whose adapter cannot share a pass with those that are answered now, oldest first.
    private var apart: [(ticket: Int, request: GenerationRequest)] = []
    private var ticketsGiven = 0
    private var isRunning = false
    private var scoring = 0

    init(
        _ model: LoadedModel, _ limits: SchedulerLimits, compressesCache: Bool,
        clock: @escaping @Sendable () -> MonotonicTime = { MonotonicTime.now() }
    ) {
        (self.model, self.limits, self.clock) = (model, limits, clock)
        generator = Generator(model, limits, compressesCache: compressesCache, clock: clock)
        let load = Load(running: 0, waiting: 0, pagesFree: limits.pages)
        reading = Lock(Reading(load: load, pages: limits.pages))
    }

    /// The thread of this object.
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.unowned }

    /// Bytes of all pages.
    var cacheBytes: Int { generator.cacheBytes }

    /// How full it is now.
    var load: Load {
        Load(
            running: generator.sequencesRunning,
            waiting: generator.sequencesWaiting + apart.reduce(0) { $0 + $1.request.samples },
            pagesFree: generator.pagesFree)
    }

    /// Takes in a request. Its events end with the last answer, or with an error; who stops reading
    /// gives back all that the request has before the next pass.
    func answer(
        _ request: GenerationRequest, queueDeadline: MonotonicTime? = nil
    ) -> AsyncThrowingStream<EngineEvent, any Error> {
        let ticket = ticketsGiven
        ticketsGiven += 1
        let (stream, continuation) = AsyncThrowingStream<EngineEvent, any Error>.makeStream()
        clients[ticket] = Client(
            continuation: continuation, queueDeadline: queueDeadline,
            answersLeft: request.samples)
        continuation.onTermination = { [weak self] reason in
            guard case .cancelled = reason else { return }
            Task { await self?.leave(ticket) }
        }
        if apart.isEmpty {
            enter(ticket, request)
        } else {
            wait(ticket, request)
        }
        start()
        return stream
    }

    /// The log-probabilities of the tokens of given answers. Others are answered in between.
    func score(_ work: ScoreWork) async throws -> [[Double]] {
        guard scoring < limits.waitingMax else {
            throw InferenceError.queueFull(waiting: scoring, waitingMax: limits.waitingMax)
        }
        scoring += 1
        defer { scoring -= 1 }
        let scorer = ChoiceScorer(model, work.prompt, work.adapter)
        var scores: [[Double]] = []
        for choice in work.choices {
            try Task.checkCancellation()
            scores.append(scorer.logProbabilities(choice.ids, isAnswer: choice.isAnswer))
            await Task.yield()
        }
        return scores
    }

    /// Runs something on the model between two passes.
    func with<Value: Sendable>(_ body: @Sendable (LoadedModel) -> Value) -> Value { body(model) }

    private func start() {
        guard !isRunning else { return }
        isRunning = true
        Task { await run() }
    }

    private func run() async {
        while !clients.isEmpty {
            enterApart()
            refuseLate()
            if !generator.isIdle { deliver(generator.step()) }
            read()
            // Those who come and go have their turn here.
            await Task.yield()
        }
        isRunning = false
        read()
    }

    private func read() {
        let (load, counts, images) = (load, generator.counts, generator.imageCounts)
        reading.with {
            ($0.load, $0.counts) = (load, counts)
            ($0.imagesAsked, $0.imagesFound) = images
        }
    }

    private func enter(_ ticket: Int, _ request: GenerationRequest) {
        do throws(GenerationError) {
            let number = try generator.submit(request)
            clients[ticket]?.number = number
            tickets[number] = ticket
        } catch {
            if case .adaptersApart = error { return wait(ticket, request) }
            end(ticket, InferenceError.of(error))
        }
    }

    private func wait(_ ticket: Int, _ request: GenerationRequest) {
        let waiting = load.waiting
        guard waiting + request.samples <= limits.waitingMax else {
            return end(
                ticket,
                InferenceError.queueFull(waiting: waiting, waitingMax: limits.waitingMax))
        }
        apart.append((ticket, request))
    }

    /// Lets those in that waited for others to end, in their order.
    private func enterApart() {
        while let (ticket, request) = apart.first {
            apart.removeFirst()
            let behind = apart
            apart = []
            enter(ticket, request)
            // Still apart: it stays first.
            let isStill = !apart.isEmpty
            apart += behind
            if isStill { return }
        }
    }

    private func refuseLate() {
        let late = clients.filter { _, client in
            guard !client.isBegun, let deadline = client.queueDeadline else { return false }
            return deadline < clock()
        }
        guard !late.isEmpty else { return }
        let waiting = load.waiting
        for (ticket, client) in late {
            if let number = client.number, generator.progress(of: number)?.begin != nil {
                continue
            }
            release(ticket)
            end(
                ticket,
                InferenceError.queueFull(waiting: waiting, waitingMax: limits.waitingMax))
        }
    }

    private func deliver(_ events: [GenerationEvent]) {
        let now = clock()
        for (ticket, client) in clients where !client.isBegun {
            guard let number = client.number,
                let progress = events.first(where: { $0.request == number })?.progress
                    ?? generator.progress(of: number),
                let begin = progress.begin
            else { continue }
            clients[ticket]?.isBegun = true
            client.continuation.yield(.begun(begin))
        }
        for event in events {
            guard let ticket = tickets[event.request], var client = clients[ticket] else {
                continue
            }
            client.continuation.yield(.piece(event, now))
            if event.result != nil { client.answersLeft -= 1 }
            clients[ticket] = client
            if client.answersLeft == 0 { end(ticket, nil) }
        }
    }

    private func leave(_ ticket: Int) {
        release(ticket)
        end(ticket, nil)
    }

    /// Takes the pages of a request back.
    private func release(_ ticket: Int) {
        if let number = clients[ticket]?.number { generator.cancel(number) }
        apart.removeAll { $0.ticket == ticket }
    }

    private func end(_ ticket: Int, _ error: (any Error)?) {
        guard let client = clients.removeValue(forKey: ticket) else { return }
        if let number = client.number { tickets[number] = nil }
        client.continuation.finish(throwing: error)
    }
}

/// What a request is told.
enum EngineEvent: Sendable {
    /// The first of its rows were computed, since then.
    case begun(MonotonicTime)
    /// A token of one of its answers, and when.
    case piece(GenerationEvent, MonotonicTime)
}

/// Answers to be scored after one prompt.
struct ScoreWork: Sendable {
    /// Tokens of a conversation that ends with the answer, and which of them are the answer's.
    struct Choice: Sendable {
        let ids: [Int32]
        let isAnswer: [Bool]
    }

    let prompt: ModelInput
    let choices: [Choice]
    let adapter: RequestAdapter?
}
