import Messages
import Operation
import RPC

/// What `fovea-inference` is made of.
enum InferenceServer {
    static let definition = ServiceDefinition(
        name: "inference",
        summary: "generation, adapters, rollout, monitoring.",
        ports: (service: 7103, metrics: 9103),
        services: [Inference.name],
        verbs: [
            GenerateVerb.verb,
            .later("score", "Score given answers."),
            .later("adapters", "List adapters."),
            .later("load", "Load an adapter."),
            .later("unload", "Unload an adapter."),
            .later("routes", "List and set routes."),
            .later("rollout", "Advance a route or roll it back."),
            .later("feedback", "Say whether an answer was right."),
            .later("drift", "Show how inputs and answers change."),
            .later("cost", "Estimate what serving costs."),
            .later("parity", "Compare training and serving, stage by stage."),
            BenchVerb.verb,
        ],
        compose: router)

    /// Every method is known; those without a handler answer UNIMPLEMENTED.
    private static func router(_ composition: Composition) -> Router {
        var router = Router()
        router.declare(service: Inference.name, methods: Inference.methods)
        return router
    }
}
