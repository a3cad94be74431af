import Glibc
import Messages
import Operation
import RPC

/// What `fovea-dataset` is made of.
enum DatasetServer {
    static let definition = ServiceDefinition(
        name: "dataset",
        summary: "images, annotation, quality, augmentation, versions.",
        ports: (service: 7101, metrics: 9101),
        services: [Datasets.name],
        verbs: Verb.ofDatasets,
        compose: router)

    private static func router(_ composition: Composition) throws -> Router {
        // Freezing a million rows takes arrays of megabytes that nothing needs afterwards.
        ProcessSetup.returnBlocks(ofBytes: 2 << 20)
        let catalogue = try Catalogue(folder: composition.configuration.dataFolder)
        return router(catalogue, threads: max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
    }

    /// Every method is known; those without a handler answer UNIMPLEMENTED.
    ///
    /// - Parameter threads: how many look at rows that arrive
    static func router(_ catalogue: Catalogue, threads: Int) -> Router {
        var router = Router()
        router.declare(service: Datasets.name, methods: Datasets.methods)
        registerDatasets(catalogue, &router)
        registerExamples(catalogue, threads, &router)
        registerAnnotation(catalogue, &router)
        registerInspection(catalogue, &router)
        registerVersions(catalogue, &router)
        return router
    }

    private static func registerDatasets(_ catalogue: Catalogue, _ router: inout Router) {
        router.register(Datasets.createDataset, needs: .trainer) { request, _ in
            try await catalogue.create(request)
        }
        router.register(Datasets.getDataset, needs: .reader) { request, _ in
            try await catalogue.get(request)
        }
        router.register(Datasets.listDatasets, needs: .reader) { request, _ in
            try await catalogue.list(request)
        }
        router.register(Datasets.updateDataset, needs: .trainer) { request, _ in
            try await catalogue.update(request)
        }
        router.register(Datasets.deleteDataset, needs: .admin) { request, _ in
            try await catalogue.delete(request)
        }
    }

    private static func registerExamples(
        _ catalogue: Catalogue, _ threads: Int, _ router: inout Router
    ) {
        let ingest = IngestExamples(catalogue: catalogue, workers: IngestWorkers(count: threads))
        router.register(Datasets.ingestExamples, needs: .trainer) { requests, context in
            try await ingest(requests, context)
        }
        router.register(Datasets.getExample, needs: .reader) { request, context in
            try await catalogue.get(request, by: context.principal)
        }
        router.register(Datasets.listExamples, needs: .reader) { request, context in
            try await catalogue.list(request, by: context.principal)
        }
        router.register(Datasets.deleteExample, needs: .operator_) { request, context in
            try await catalogue.delete(request, by: context.principal)
        }
    }

    private static func registerInspection(_ catalogue: Catalogue, _ router: inout Router) {
        let inspect = InspectDataset(catalogue: catalogue)
        router.register(Datasets.inspectDataset, needs: .reader) { request, context in
            try await inspect(request, context)
        }
        router.register(Datasets.setAugmentationPolicy, needs: .trainer) { request, _ in
            try await catalogue.set(request)
        }
        router.register(Datasets.previewAugmentation, needs: .reader) { request, _ in
            try await catalogue.preview(request)
        }
    }

    private static func registerAnnotation(_ catalogue: Catalogue, _ router: inout Router) {
        router.register(Datasets.putGuidelines, needs: .operator_) { request, context in
            try await catalogue.put(request, by: context.principal)
        }
        router.register(Datasets.listAnnotationTasks, needs: .annotator) { request, context in
            try await catalogue.list(request, by: context.principal)
        }
        router.register(Datasets.submitAnnotation, needs: .annotator) { request, context in
            try await catalogue.submit(request, by: context.principal)
        }
        router.register(Datasets.getAgreement, needs: .operator_) { request, _ in
            try await catalogue.agreement(request)
        }
        router.register(Datasets.listDisagreements, needs: .operator_) { request, _ in
            try await catalogue.list(request)
        }
        router.register(Datasets.adjudicate, needs: .operator_) { request, context in
            try await catalogue.adjudicate(request, by: context.principal)
        }
    }

    private static func registerVersions(_ catalogue: Catalogue, _ router: inout Router) {
        let freeze = FreezeVersion(catalogue: catalogue)
        router.register(Datasets.freezeVersion, needs: .trainer) { request, context in
            try await freeze(request, context)
        }
        router.register(Datasets.getVersion, needs: .reader) { request, _ in
            try await catalogue.get(request)
        }
        router.register(Datasets.listVersions, needs: .reader) { request, _ in
            try await catalogue.list(request)
        }
        router.register(Datasets.diffVersions, needs: .reader) { request, _ in
            try await catalogue.diff(request)
        }
        router.register(Datasets.streamExamples, needs: .trainer) { request, _, responses in
            try await StreamExamples(request, catalogue).run(to: responses)
        }
        router.register(Datasets.exportVersion, needs: .reader) { request, _, responses in
            try await ExportVersion(request, catalogue).run(to: responses)
        }
    }
}
