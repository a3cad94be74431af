import Base
import Foundation
import Images
package import Models
import Text

/// Turns rows into what a model reads, within its context: the token budget of each row, and what
/// a policy does to a row that is too long. An image is seen whole or not at all.
package struct RowEncoder: Sendable {
    private let inputs: InputEncoder
    /// The most tokens of a row.
    package let tokensMax: Int
    private let overlength: OverlengthPolicy
    private let lossTurns: LossTurns

    /// - Parameter tokensMax: the model's context, or less
    package init(_ inputs: InputEncoder, _ recipe: TrainingRecipe, tokensMax: Int) {
        (self.inputs, self.tokensMax) = (inputs, tokensMax)
        (overlength, lossTurns) = (recipe.overlength, recipe.lossTurns)
    }

    /// Counts the tokens of every row.
    /// - Parameter onRow: called after each row with how many are done
    package func facts(
        of source: some RowSource, onRow: (Int) -> Void = { _ in }
    ) throws(RowFault) -> DatasetFacts {
        var (facts, done) = (DatasetFacts(), 0)
        for split in RowSplit.allCases {
            for index in 0..<source.count(of: split) {
                let row = try source.outline(index, of: split)
                switch try budget(of: row, index: index) {
                case .fits(let row): facts[split].append(row)
                case .isOverlong(let row) where overlength == .skip: facts.skipped.append(row)
                case .isOverlong(let row): facts.rejected.append(row)
                }
                done += 1
                onRow(done)
            }
        }
        return facts
    }

    /// What a row comes to.
    package enum Budget: Sendable, Hashable {
        case fits(RowFacts)
        /// As long as it is, unless the policy can do something about it.
        case isOverlong(OverlongRow)
    }

    /// The tokens of one row.
    /// - Parameter index: its number in its split
    package func budget(of row: RowOutline, index: Int) throws(RowFault) -> Budget {
        let whole = try count(row.messages, row.imageSizes, row.id)
        if whole.tokens <= tokensMax { return .fits(facts(row, index, whole, .none)) }
        switch overlength {
        case .reject, .skip: break
        case .shrinkImage:
            if let fit = try shrunk(row, whole) {
                return .fits(facts(row, index, fit.counts, .imageScale(fit.scale)))
            }
        case .splitTurns:
            if let fit = try split(row) {
                return .fits(facts(row, index, fit.counts, .droppedMessages(fit.dropped)))
            }
        }
        return .isOverlong(
            OverlongRow(id: row.id, tokens: whole.tokens, imageTokens: whole.imageTokens))
    }

    /// What the model reads of a row.
    /// - Parameter shortening: as its budget says
    package func input(
        _ row: TrainingRow, _ shortening: RowShortening
    ) throws(RowFault) -> ModelInput {
        var (messages, files) = (row.messages, row.images)
        if case .droppedMessages(let count) = shortening {
            let kept = messages.dropping(count)
            files.removeFirst(min(kept.images, files.count))
            messages = kept.messages
        }
        var pictures: [RGBImage] = []
        for (index, file) in files.enumerated() {
            do throws(ImageError) {
                pictures.append(try Self.picture(file, shortening))
            } catch {
                throw .model(row: row.id, .image(index: index, error))
            }
        }
        var input: ModelInput
        do throws(ModelError) {
            input = try inputs.input(messages, pictures)
        } catch {
            throw .model(row: row.id, error)
        }
        guard input.ids.count <= tokensMax else {
            throw .model(
                row: row.id,
                .tooLong(
                    tokens: input.ids.count,
                    imageTokens: input.imageRows.reduce(0) { $0 + $1.count },
                    tokensMax: tokensMax))
        }
        (input.isTrained, input.lossWeights) = try learned(input.isTrained, messages, row.id)
        return input
    }

    private static func picture(
        _ file: Bytes, _ shortening: RowShortening
    ) throws(ImageError) -> RGBImage {
        let picture = try DecodedImage(decoding: file).image
        guard case .imageScale(let scale) = shortening else { return picture }
        let size = ImageSize(height: picture.height, width: picture.width).scaled(by: scale)
        return try picture.resized(width: size.width, height: size.height)
    }

    /// The mask with the turns that the recipe learns, and what their tokens count; no weights
    /// where all of them count alike.
    private func learned(
        _ mask: [Bool], _ messages: [ChatMessage], _ id: String
    ) throws(RowFault) -> (isTrained: [Bool], weights: [Float]) {
        let answers = messages.filter { $0.role == .assistant }
        let isWeighted = answers.contains { $0.lossWeight != 1 }
        guard isWeighted || lossTurns == .last else { return (mask, []) }
        let turns = Self.runs(of: mask)
        // Each answer is one stretch: the template puts words of its own between two.
        guard !isWeighted || turns.count == answers.count else {
            throw .unreadable(
                row: id,
                why: "its \(answers.count) answers became \(turns.count) stretches of tokens, so"
                    + " their loss weights have no place; leave the weights out")
        }
        var isTrained = [Bool](repeating: false, count: mask.count)
        var weights = [Float](repeating: 1, count: isWeighted ? mask.count : 0)
        for (index, turn) in turns.enumerated()
        where lossTurns == .all || index == turns.count - 1 {
            let weight = isWeighted ? answers[index].lossWeight : 1
            for token in turn {
                isTrained[token] = weight > 0
                if isWeighted { weights[token] = weight }
            }
        }
        return (isTrained, weights)
    }

    /// Stretches of tokens that are learned.
    private static func runs(of mask: [Bool]) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        var start: Int?
        for (index, isOn) in (mask + [false]).enumerated() {
            if isOn, start == nil { start = index }
            if !isOn, let first = start {
                runs.append(first..<index)
                start = nil
            }
        }
        return runs
    }

    private func facts(
        _ row: RowOutline, _ index: Int, _ counts: Counts, _ shortening: RowShortening
    ) -> RowFacts {
        RowFacts(
            index: index, id: row.id, tokens: counts.tokens, trainedTokens: counts.trainedTokens,
            images: (counts.images, counts.imageTokens), shortening: shortening)
    }
}

/// Counting.
extension RowEncoder {
    private struct Counts {
        var tokens = 0, imageTokens = 0, trainedTokens = 0, images = 0
    }

    private func count(
        _ messages: [ChatMessage], _ sizes: [ImageSize], _ id: String
    ) throws(RowFault) -> Counts {
        let places = messages.reduce(0) { $0 + $1.images }
        guard places == sizes.count else {
            throw .model(row: id, .imageCount(images: sizes.count, places: places))
        }
        var counts = Counts(images: sizes.count)
        var mask: [Bool] = []
        do throws(ModelError) {
            let encoded = try inputs.encoded(messages, sizes)
            counts.tokens = encoded.ids.count
            counts.imageTokens = encoded.images.reduce(0) { $0 + $1.count }
            mask = encoded.isTrained
        } catch {
            guard case .tooLong(let tokens, let imageTokens, _) = error else {
                throw .model(row: id, error)
            }
            (counts.tokens, counts.imageTokens) = (tokens, imageTokens)
            return counts
        }
        counts.trainedTokens = try learned(mask, messages, id).isTrained.dropFirst().count { $0 }
        return counts
    }

    /// The largest images that fit, a twentieth smaller at a time; nil where none do.
    private func shrunk(
        _ row: RowOutline, _ whole: Counts
    ) throws(RowFault) -> (counts: Counts, scale: Double)? {
        let textTokens = whole.tokens - whole.imageTokens
        guard textTokens < tokensMax, !row.imageSizes.isEmpty else { return nil }
        for step in 1...60 {
            let scale = (pow(0.95, Double(step)) * 1e4).rounded() / 1e4
            let sizes = row.imageSizes.map { $0.scaled(by: scale) }
            var imageTokens = 0
            for (index, size) in sizes.enumerated() {
                do throws(ImageError) {
                    imageTokens += try inputs.images.tokenCount(size)
                } catch {
                    throw .model(row: row.id, .image(index: index, error))
                }
            }
            if textTokens + imageTokens <= tokensMax {
                return (try count(row.messages, sizes, row.id), scale)
            }
        }
        return nil
    }

    /// The row without as few exchanges as must go; nil where the last one alone is too long.
    private func split(_ row: RowOutline) throws(RowFault) -> (counts: Counts, dropped: Int)? {
        let first = row.messages.first?.role == .system ? 1 : 0
        let starts = row.messages.indices.filter {
            $0 > first && row.messages[$0].role == .user
                && row.messages[$0 - 1].role == .assistant
        }
        for start in starts {
            let kept = row.messages.dropping(start - first)
            let counts = try count(
                kept.messages, Array(row.imageSizes.dropFirst(kept.images)), row.id)
            if counts.tokens <= tokensMax { return (counts, start - first) }
        }
        return nil
    }
}

extension [ChatMessage] {
    /// The conversation without some messages behind the system's, and how many images go along.
    fileprivate func dropping(_ count: Int) -> (messages: [ChatMessage], images: Int) {
        let first = self.first?.role == .system ? 1 : 0
        let end = Swift.min(first + count, self.count)
        let images = self[first..<end].reduce(0) { $0 + $1.images }
        return (Array(prefix(first)) + Array(self[end...]), images)
    }
}

extension ImageSize {
    fileprivate func scaled(by scale: Double) -> ImageSize {
        ImageSize(
            height: max(Int((Double(height) * scale).rounded()), 1),
            width: max(Int((Double(width) * scale).rounded()), 1))
    }
}
