import Layers
package import Models
import Numerics

/// The pages of every layer. Memory that changes: it has one owner. Which sequence has which page
/// is the scheduler's business.
package final class KeyValueCache {
    /// By layer.
    let layers: [KeyValuePages]
    private let backend: any Backend

    /// - Parameters:
    ///   - pages: of each layer
    ///   - compressed: int8 with a scale for each row and head, instead of the type of the model
    package init(
        for model: any VisionLanguageModel, pages: Int, pageRows: Int, compressed: Bool = false
    ) {
        let config = model.decoder.config
        backend = model.backend
        layers = (0..<config.layers).map { _ in
            KeyValuePages(
                pages: pages, pageRows: pageRows, heads: (config.keyHeads, config.headWidth),
                type: model.type, compressed: compressed, on: model.backend)
        }
    }

    /// Bytes of all pages.
    package var byteCount: Int { layers.reduce(0) { $0 + $1.byteCount } }

    /// What the rows of a pass attend to.
    func memory(_ slices: [StepPlan.Slice], pageRows: Int) -> PagedRows {
        let slots = slices.flatMap { slice in slice.rows.map { slice.table.slot($0) } }
        let segments = Segments(
            queryLengths: slices.map(\.rows.count), keyLengths: slices.map(\.rows.upperBound))
        let table = PageTable(
            segments, pages: slices.map { $0.table.pages(forRows: $0.rows.upperBound) },
            pageRows: pageRows, on: backend)
        return PagedRows(layers, slots: Tensor(slots, on: backend), table: table)
    }
}
