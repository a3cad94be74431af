import Images
import Layers
import Messages
import Models
import Numerics
import Text

/// Chooses train rows to put before questions.
///
/// The nearest images are found by what the model itself sees: the mean of a row's image features
/// after the projector, compared by the cosine. A perceptual hash would be cheaper, but tells only
/// copies from others: between different pictures its distances are near those of chance.
final class ShotFinder {
    /// Train rows that are compared, drawn by the seed: one pass of the tower each.
    static let candidatesMax = 2_000

    /// Places of train rows shown to all questions, one class after another.
    let fixed: [Int]
    /// Places of train rows still to be looked at for nearest images.
    private var waiting: [Int]
    private var features: [(place: Int, direction: [Float])] = []

    /// - Parameters:
    ///   - answers: of every train row
    ///   - order: places of train rows as the seed draws them
    ///   - count: shots at most
    init(_ selection: ShotSelection, answers: [String], order: [Int], count: Int) {
        guard selection != .nearestImage else {
            (fixed, waiting) = ([], Array(order.prefix(Self.candidatesMax)).reversed())
            return
        }
        var byAnswer: [String: [Int]] = [:]
        for place in order { byAnswer[answers[place], default: []].append(place) }
        let queues = byAnswer.sorted { $0.key < $1.key }.map(\.value)
        var chosen: [Int] = []
        for turn in 0..<(queues.map(\.count).max() ?? 0) where chosen.count < count {
            chosen += queues.compactMap { $0.indices.contains(turn) ? $0[turn] : nil }
        }
        (fixed, waiting) = (Array(chosen.prefix(count)), [])
    }

    /// The next train row to look at; nil once all were.
    func next() -> Int? { waiting.popLast() }

    /// Takes in a train row; rows without an image that the model can take are never shown.
    func add(_ row: StreamedExample, at place: Int, _ model: LoadedModel) {
        guard let direction = Self.direction(row, model) else { return }
        features.append((place, direction))
    }

    /// Places of the train rows to show before a question, the nearest last, next to the question.
    func shots(_ count: Int, for row: StreamedExample, _ model: LoadedModel) -> [Int] {
        guard count > 0 else { return [] }
        guard !features.isEmpty else { return Array(fixed.prefix(count)) }
        guard let own = Self.direction(row, model) else { return [] }
        let likeness = features.map { candidate in
            zip(candidate.direction, own).reduce(Float(0)) { $0 + $1.0 * $1.1 }
        }
        let nearest = likeness.indices.sorted { (likeness[$1], $0) < (likeness[$0], $1) }
        return nearest.prefix(count).reversed().map { features[$0].place }
    }

    /// The mean of a row's image features, of length 1; nil without images.
    private static func direction(_ row: StreamedExample, _ model: LoadedModel) -> [Float]? {
        guard !row.images.isEmpty,
            let images = try? row.images.map({ try DecodedImage(decoding: $0.content).image }),
            let input = try? model.inputs.input(
                [ChatMessage(.user, images.map { _ in .image })], images, forGeneration: true)
        else { return nil }
        let features = model.model.imageFeatures(input.images, Pass())
        let width = features.shape[features.shape.rank - 1]
        let values = features.floats()
        var sum = [Float](repeating: 0, count: width)
        for (index, value) in values.enumerated() { sum[index % width] += value }
        let length = sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
        guard length > 0, length.isFinite else { return nil }
        return sum.map { $0 / length }
    }
}
