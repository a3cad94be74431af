import Messages
import Operation
import RPC

/// What `fovea-trainer` is made of.
enum TrainerServer {
    static let definition = ServiceDefinition(
        name: "trainer",
        summary: "training, evaluation and quantisation of models.",
        ports: (service: 7102, metrics: 9102),
        services: [Training.name],
        verbs: [
            .later("models", "Register and list base models."),
            .later("estimate", "Say whether a job fits, and what it costs."),
            .later("preview", "Show what a model will see of a row."),
            .later("baseline", "Measure a model before training."),
            .later("train", "Train an adapter or a model."),
            .later("evaluate", "Measure an adapter or a model."),
            .later("quantize", "Make a smaller model."),
            .later("merge", "Merge an adapter into its model."),
            .later("watch", "Follow a job."),
            .later("jobs", "List jobs."),
            .later("cancel", "Stop a job."),
            .later("resume", "Continue a job."),
            .later("compare", "Compare two evaluations."),
            .later("advise", "Say whether tuning is worth it."),
            .later("export", "Fetch an adapter or a model."),
            BenchVerb.verb,
        ],
        compose: router)

    private static func router(_ composition: Composition) throws -> Router {
        var router = Router()
        router.declare(service: Training.name, methods: Training.methods)
        return router
    }

    /// Every method is known; those without a handler answer UNIMPLEMENTED.
    static func router(_ jobs: Jobs) -> Router {
        var router = Router()
        router.declare(service: Training.name, methods: Training.methods)
        registerJobs(jobs, &router)
        return router
    }

    private static func registerJobs(_ jobs: Jobs, _ router: inout Router) {
        router.register(Training.createJob, needs: .trainer) { request, context in
            try await jobs.create(request, by: context.principal)
        }
        router.register(Training.getJob, needs: .reader) { request, _ in
            try await jobs.get(request)
        }
        router.register(Training.listJobs, needs: .reader) { request, _ in
            try await jobs.list(request)
        }
        router.register(Training.watchJob, needs: .reader) { request, _, responses in
            try await WatchJob(request, jobs.store).run(to: responses)
        }
        router.register(Training.cancelJob, needs: .trainer) { request, context in
            try await jobs.cancel(request, by: context.principal)
        }
        router.register(Training.pauseJob, needs: .trainer) { request, context in
            try await jobs.pause(request, by: context.principal)
        }
        router.register(Training.resumeJob, needs: .trainer) { request, context in
            try await jobs.resume(request, by: context.principal)
        }
    }
}
