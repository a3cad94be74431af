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
        verbs: [
            .later("create", "Create a dataset."),
            .later("import", "Bring rows and images in."),
            .later("annotate", "Label rows, blind."),
            .later("agreement", "Show how far annotators agree."),
            .later("adjudicate", "Decide where they do not."),
            .later("inspect", "Check quality, duplicates and balance."),
            .later("preview", "Show what augmentation does."),
            .later("freeze", "Freeze a version."),
            .later("list", "List datasets or versions."),
            .later("show", "Show one of them."),
            .later("diff", "Compare two versions."),
            .later("export", "Write a version to files."),
            .later("stream", "Print the rows that training would see."),
        ],
        compose: router)

    /// Every method is known; those without a handler answer UNIMPLEMENTED.
    private static func router(_ composition: Composition) -> Router {
        var router = Router()
        router.declare(service: Datasets.name, methods: Datasets.methods)
        return router
    }
}
