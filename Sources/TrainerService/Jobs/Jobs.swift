import Base
import Messages
import Resources
import Storage

/// The jobs of the service: what is stored of them, and the runner of each device.
struct Jobs: Sendable {
    let store: TrainerStore
    let shop: any WorkShop
    private let runners: [String: JobRunner]

    init(store: TrainerStore, shop: any WorkShop, log: Log? = nil) {
        (self.store, self.shop) = (store, shop)
        let pairs = shop.devices.map { device in
            (device, JobRunner(device: device, store: store, shop: shop, log: log))
        }
        runners = Dictionary(uniqueKeysWithValues: pairs)
    }

    /// Lets jobs run, those first that were at work when the service ended.
    func start() {
        for runner in runners.values { Task { await runner.run() } }
    }

    /// Lets no further job begin.
    func stop() {
        for runner in runners.values { runner.stop() }
    }

    /// Says that a job waits for a device.
    func look(_ device: String) { runners[device]?.look() }

    /// Asks the runner of a job to stop it.
    func want(_ wish: JobLife.Wish, of job: JobRecord) {
        runners[job.device]?.want(wish, of: job.id)
    }

    /// The resource as others see it.
    func message(of name: JobName) async throws -> TrainingJob {
        try await store.reader.read { db in try db.message(of: try db.job(name)) }
    }

    /// Waits until a job is in a state that `isEnough` accepts.
    func wait(for name: JobName, until isEnough: @Sendable (JobState) -> Bool) async throws {
        let id = try await store.reader.read { db in try db.job(name).id }
        // Listens before it looks, so that no change falls between.
        var signals = store.board.signals(of: id).makeAsyncIterator()
        while true {
            let state = try await store.reader.read { db in try db.job(numbered: id).state }
            if isEnough(state) { return }
            guard await signals.next() != nil else { throw CancellationError() }
        }
    }
}

extension Connection {
    /// The whole resource.
    func message(of job: JobRecord) throws -> TrainingJob {
        var message = job.message
        if job.state == .queued {
            message.queuePosition = UInt32(clamping: try queue(of: job.device).position(of: job.id))
        }
        return message
    }
}
