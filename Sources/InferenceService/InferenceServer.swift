import Messages
import Operation
import RPC

/// What `fovea-inference` is made of.
enum InferenceServer {
    static let definition: ServiceDefinition = {
        var definition = ServiceDefinition(
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
        definition.serveOptions = ServingSettings.options
        return definition
    }()

    private static func router(_ composition: Composition) throws -> Router {
        let configuration = composition.configuration
        let served = try composition.settings.text("model").map { folder in
            try ServedModel(
                ServingSettings(
                    composition.settings, folder: folder, dataFolder: configuration.dataFolder),
                composition.metrics)
        }
        return router(served, messageBytesMax: configuration.messageBytesMax)
    }

    /// Every method is known; those without a handler answer UNIMPLEMENTED.
    ///
    /// - Parameter served: nil where there is no model, so that every call says what to do
    static func router(_ served: ServedModel?, messageBytesMax: Int) -> Router {
        var router = Router()
        router.declare(service: Inference.name, methods: Inference.methods)
        @Sendable func model() throws -> ServedModel {
            guard let served else { throw InferenceError.noModel }
            return served
        }
        registerAnswers(model, messageBytesMax, &router)
        registerAdapters(model, &router)
        return router
    }

    private static func registerAnswers(
        _ model: @escaping @Sendable () throws -> ServedModel, _ messageBytesMax: Int,
        _ router: inout Router
    ) {
        router.register(Inference.generate, needs: .reader) { request, context in
            try await model().generate(request, by: context.principal.name)
        }
        router.register(Inference.generateStream, needs: .reader) { request, context, responses in
            try await model().generate(request, by: context.principal.name, to: responses)
        }
        router.register(Inference.scoreChoices, needs: .reader) { request, context in
            try await model().score(request, by: context.principal.name)
        }
        router.register(Inference.getModelInfo, needs: .reader) { request, _ in
            try await model().describe(request, messageBytesMax: messageBytesMax)
        }
    }

    private static func registerAdapters(
        _ model: @escaping @Sendable () throws -> ServedModel, _ router: inout Router
    ) {
        router.register(Inference.loadAdapter, needs: .operator_) { request, context in
            try await model().shelf.load(request, by: context.principal)
        }
        router.register(Inference.unloadAdapter, needs: .operator_) { request, context in
            try await model().shelf.unload(request, by: context.principal)
        }
        router.register(Inference.listAdapters, needs: .reader) { request, _ in
            try await model().shelf.list(request)
        }
        router.register(Inference.setAlias, needs: .operator_) { request, context in
            try await model().shelf.setAlias(request, by: context.principal)
        }
    }
}
