import Base
import GoldenModels
import Images
import Models
import Numerics
import Testing
import Text

@testable import Training

/// In which order rows come.
struct OrderTests {
    private static let lengths = (0..<1003).map { 10 + $0 * 7919 % 900 }

    @Test(arguments: [1, 4, 8])
    func everyRowComesOnceAnEpoch(rowsPerStep: Int) {
        let order = EpochOrder(
            lengths: Self.lengths, rowsPerStep: rowsPerStep, key: RandomKey(seed: 1))
        #expect(order.steps.joined().sorted() == Array(Self.lengths.indices))
        #expect(order.steps.count { $0.count != rowsPerStep } == (1003 % rowsPerStep > 0 ? 1 : 0))
    }

    @Test func theKeyAloneDecides() {
        func order(_ seed: UInt64) -> EpochOrder {
            EpochOrder(lengths: Self.lengths, rowsPerStep: 8, key: RandomKey(seed: seed))
        }
        #expect(order(1) == order(1))
        #expect(order(1) != order(2))
    }

    @Test func rowsOfAStepAreAboutAsLongAsEachOther() {
        let order = EpochOrder(lengths: Self.lengths, rowsPerStep: 8, key: RandomKey(seed: 1))
        let spreads = order.steps.map { step in
            let own = step.map { Self.lengths[$0] }
            return (own.max() ?? 0) - (own.min() ?? 0)
        }
        // Of 8 rows at random of 10 to 910 tokens, longest and shortest are 700 apart.
        #expect(spreads.reduce(0, +) / spreads.count < 80)
    }

    @Test func lengthDoesNotDecideWhenAStepComes() {
        let order = EpochOrder(lengths: Self.lengths, rowsPerStep: 8, key: RandomKey(seed: 3))
        let means = order.steps.map { $0.reduce(0) { $0 + Self.lengths[$1] } / $0.count }
        let half = means.count / 2
        let first = means[..<half].reduce(0, +) / half
        let second = means[half...].reduce(0, +) / (means.count - half)
        #expect(abs(first - second) < 90)
    }

    @Test func anyStepOfARunIsFoundWithoutTheOnesBefore() {
        var recipe = TrainingRecipe()
        (recipe.batch.rowsPerStep, recipe.epochs, recipe.seed) = (8, 2.5, 5)
        var order = RunOrder(lengths: Self.lengths, recipe)
        #expect(order.stepsPerEpoch == 126 && order.steps == 315)
        let all = (0..<315).map { order.rows(of: $0) }
        var other = RunOrder(lengths: Self.lengths, recipe)
        for step in [314, 0, 126, 200] { #expect(other.rows(of: step) == all[step]) }
        #expect(all[..<126].joined().sorted() == Array(Self.lengths.indices))
        #expect(all[126..<252].joined().sorted() == Array(Self.lengths.indices))
        #expect(Array(all[..<126]) != Array(all[126..<252]))
        #expect(order.epochs(after: 63) == 0.5)
    }

    @Test func theWorstMicroBatchIsFoundBeforehand() {
        var recipe = TrainingRecipe()
        (recipe.batch.rowsPerStep, recipe.epochs) = (8, 2)
        var order = RunOrder(lengths: Self.lengths, recipe)
        let worst = order.worst(tokensMax: 2000)
        var (tokens, batches) = (0, 0)
        for step in 0..<order.steps {
            let lengths = order.rows(of: step).map { Self.lengths[$0] }
            let cut = MicroBatches.cut(lengths, tokensMax: 2000)
            batches = max(batches, cut.count)
            tokens = max(tokens, cut.map { lengths[$0].reduce(0, +) }.max() ?? 0)
        }
        #expect(worst.tokens == tokens && worst.microBatches == batches && tokens > 1800)
        #expect(worst.rows.reduce(0) { $0 + Self.lengths[$1] } == tokens)
    }

    @Test func microBatchesAreBoundedByTokens() {
        #expect(MicroBatches.cut([5, 5, 5], tokensMax: 10) == [0..<2, 2..<3])
        #expect(MicroBatches.cut([11, 1, 9, 1], tokensMax: 10) == [0..<1, 1..<3, 3..<4])
        #expect(MicroBatches.cut([], tokensMax: 10) == [])
        #expect(MicroBatches.cut([99], tokensMax: 10) == [0..<1])
    }
}

/// What a row that is too long becomes.
struct OverlengthTests {
    private static let image: Bytes = {
        do {
            let picture = RGBImage(width: 400, height: 300, filledWith: 90)
            return try picture.png()
        } catch { preconditionFailure("\(error)") }
    }()

    /// A picture, then exchanges of text.
    private static func row(exchanges: Int) -> TrainingRow {
        var messages = [
            ChatMessage(.user, [.image, .text("What is this?")]),
            ChatMessage(.assistant, "A red car."),
        ]
        for index in 0..<exchanges {
            messages.append(ChatMessage(.user, "And number \(index) of them?"))
            messages.append(ChatMessage(.assistant, "Two people, number \(index)."))
        }
        return TrainingRow(id: "row", messages: messages, images: [image])
    }

    private func encoder(
        _ policy: OverlengthPolicy, tokensMax: Int, _ turns: LossTurns = .all
    ) -> RowEncoder {
        var recipe = TrainingRecipe()
        (recipe.overlength, recipe.lossTurns) = (policy, turns)
        return RowEncoder(TinyModel.loaded.inputs, recipe, tokensMax: tokensMax)
    }

    private func facts(_ encoder: RowEncoder, _ row: TrainingRow) throws -> RowFacts? {
        let rows = TestRows(train: [row], validation: [])
        return try encoder.facts(of: rows).train.first
    }

    @Test func theBudgetIsWhatTheModelReads() throws {
        let encoder = encoder(.reject, tokensMax: 4096)
        for row in try TinyModel.golden.rows() + [Self.row(exchanges: 2)] {
            let facts = try #require(try facts(encoder, row))
            let input = try encoder.input(row, facts.shortening)
            #expect(facts.tokens == input.ids.count)
            #expect(facts.trainedTokens == input.trainedCount)
            #expect(facts.imageTokens == input.images.reduce(0) { $0 + $1.tokenCount })
            #expect(facts.images == row.images.count)
        }
    }

    @Test func rejectAndSkipNameTheRowWithItsTokens() throws {
        let whole = try #require(
            try facts(encoder(.reject, tokensMax: 4096), Self.row(exchanges: 1)))
        let rows = TestRows(train: [Self.row(exchanges: 1)], validation: [])
        let rejected = try encoder(.reject, tokensMax: whole.tokens - 1).facts(of: rows)
        let overlong = OverlongRow(
            id: "row", tokens: whole.tokens, imageTokens: whole.imageTokens)
        #expect(rejected.train.isEmpty && rejected.rejected == [overlong])
        let skipped = try encoder(.skip, tokensMax: whole.tokens - 1).facts(of: rows)
        #expect(skipped.rejected.isEmpty && skipped.skipped == [overlong])
        #expect(
            try facts(encoder(.reject, tokensMax: whole.tokens), Self.row(exchanges: 1)) == whole)
    }

    @Test func imagesShrinkUntilTheRowFits() throws {
        let row = Self.row(exchanges: 1)
        let whole = try #require(try facts(encoder(.reject, tokensMax: 4096), row))
        // Fewer tokens than a picture of this shape takes, more than any picture does.
        let encoder = encoder(.shrinkImage, tokensMax: whole.tokens - 4)
        let small = try #require(try facts(encoder, row))
        guard case .imageScale(let scale) = small.shortening else {
            Issue.record("\(small.shortening)")
            return
        }
        #expect(scale < 1 && small.tokens <= whole.tokens - 4)
        #expect(small.trainedTokens == whole.trainedTokens)
        let input = try encoder.input(row, small.shortening)
        #expect(input.ids.count == small.tokens)
        // Text alone is too long: no size helps.
        let none = self.encoder(.shrinkImage, tokensMax: whole.tokens - whole.imageTokens)
        #expect(try facts(none, row) == nil)
    }

    @Test func exchangesAreDroppedFromTheFrontWithTheirImages() throws {
        let row = Self.row(exchanges: 3)
        let whole = try #require(try facts(encoder(.reject, tokensMax: 4096), row))
        let encoder = encoder(.splitTurns, tokensMax: whole.tokens - 1)
        let small = try #require(try facts(encoder, row))
        #expect(small.shortening == .droppedMessages(2))
        #expect(small.imageTokens == 0 && small.images == 0)
        let input = try encoder.input(row, small.shortening)
        #expect(input.ids.count == small.tokens && input.images.isEmpty)
        // The last exchange is never dropped.
        #expect(try facts(self.encoder(.splitTurns, tokensMax: 8), row) == nil)
    }

    @Test func theLastTurnAloneIsLearnedWhereAsked() throws {
        let row = Self.row(exchanges: 2)
        let all = encoder(.reject, tokensMax: 4096)
        let last = encoder(.reject, tokensMax: 4096, .last)
        let (a, b) = (try all.input(row, .none), try last.input(row, .none))
        let tokenizer = TinyModel.loaded.inputs.chat.tokenizer
        let learned = zip(b.ids, b.isTrained).filter(\.1).map(\.0)
        #expect(tokenizer.decode(learned).contains("number 1"))
        #expect(b.trainedCount * 2 < a.trainedCount)
        #expect(zip(a.isTrained, b.isTrained).allSatisfy { $0 || !$1 })
        #expect(try facts(last, row)?.trainedTokens == b.trainedCount)
    }

    @Test func aDamagedImageIsToldWithTheRow() throws {
        var bytes = Array(Self.image)
        bytes.removeLast(bytes.count / 2)
        let row = TrainingRow(
            id: "torn", messages: Self.row(exchanges: 0).messages, images: [Bytes(bytes)])
        let encoder = encoder(.reject, tokensMax: 4096)
        let error = #expect(throws: RowFault.self) { _ = try encoder.input(row, .none) }
        #expect(error?.message.hasPrefix("row torn: image 1: ") == true)
        #expect(error?.isOfRow == true)
    }
}
