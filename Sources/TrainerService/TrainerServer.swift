import Base
import Messages
import Numerics
import Operation
import RPC

/// What `fovea-trainer` is made of.
enum TrainerServer {
    static let definition: ServiceDefinition = {
        var definition = ServiceDefinition(
            name: "trainer",
            summary: "training, evaluation and quantisation of models.",
            ports: (service: 7102, metrics: 9102),
            services: [Training.name],
            verbs: Verb.ofTrainer,
            compose: router)
        definition.serveOptions = TrainerSettings.options
        return definition
    }()

    private static func router(_ composition: Composition) throws -> Router {
        let settings = try TrainerSettings(composition)
        let store = try TrainerStore(folder: composition.configuration.dataFolder)
        let registry = ModelRegistry(store: store, roots: settings.modelRoots)
        let library = RowLibrary(
            DatasetClient(settings.datasets), folder: "\(store.folder)/rows",
            bytesMax: settings.rowCacheBytes)
        let shop = TrainerShop(
            registry: registry, library: library, backend: try CPUBackend(),
            pricePerHour: settings.pricePerHour)
        let jobs = Jobs(store: store, shop: shop, log: composition.log)
        jobs.start()
        return router(jobs, registry, shop)
    }

    /// Every method is known; those without a handler answer UNIMPLEMENTED.
    static func router(
        _ jobs: Jobs, _ registry: ModelRegistry? = nil, _ shop: TrainerShop? = nil
    ) -> Router {
        var router = Router()
        router.declare(service: Training.name, methods: Training.methods)
        registerJobs(jobs, &router)
        if let registry { registerModels(registry, &router) }
        if let shop { registerRows(shop, &router) }
        return router
    }

    private static func registerModels(_ registry: ModelRegistry, _ router: inout Router) {
        router.register(Training.registerModel, needs: .operator_) { request, _ in
            try await registry.register(request)
        }
        router.register(Training.getModel, needs: .reader) { request, _ in
            try await registry.get(request)
        }
        router.register(Training.listModels, needs: .reader) { request, _ in
            try await registry.list(request)
        }
        router.register(Training.fetchArtifact, needs: .reader) { request, _, responses in
            try await FetchArtifact(request, registry).run(to: responses)
        }
    }

    private static func registerRows(_ shop: TrainerShop, _ router: inout Router) {
        let preview = PreviewExample(shop: shop)
        let estimate = EstimateJob(shop: shop)
        let advise = AdviseTuning(shop: shop)
        let compare = CompareEvaluations(shop: shop)
        router.register(Training.estimateJob, needs: .trainer) { request, _ in
            try await shop.desk.run { try await estimate(request) }
        }
        router.register(Training.getEvaluation, needs: .reader) { request, _ in
            try await shop.evaluation(request)
        }
        router.register(Training.compareEvaluations, needs: .reader) { request, _ in
            try await shop.desk.run { try await compare(request) }
        }
        router.register(Training.adviseTuning, needs: .reader) { request, _ in
            try await shop.desk.run { try await advise(request) }
        }
        router.register(Training.previewExample, needs: .trainer) { request, _ in
            try await shop.desk.run { try await preview(request) }
        }
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
        router.register(Training.listCheckpoints, needs: .reader) { request, _ in
            try await jobs.list(request)
        }
    }
}
