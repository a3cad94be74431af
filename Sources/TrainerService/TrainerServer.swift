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

    /// Every method is known; those without a handler answer UNIMPLEMENTED.
    private static func router(_ composition: Composition) -> Router {
        var router = Router()
        router.declare(service: Training.name, methods: Training.methods)
        return router
    }
}
