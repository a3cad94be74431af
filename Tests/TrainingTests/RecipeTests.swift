import GoldenModels
import Layers
import Models
import Numerics
import Testing

@testable import Training

/// What is refused before any work is done.
struct RecipeTests {
    private static let facts = DatasetFacts(
        train: (0..<9).map { row($0, trained: 3) }, validation: [row(9, trained: 3)])

    private static func row(_ index: Int, tokens: Int = 10, trained: Int) -> RowFacts {
        RowFacts(index: index, id: "row-\(index)", tokens: tokens, trainedTokens: trained)
    }

    private static let outline = ModelOutline(TinyModel.loaded)

    /// The problems of a recipe that is changed in one place.
    private func problems(
        rows: DatasetFacts = facts, in model: ModelOutline = outline,
        _ change: (inout TrainingRecipe) -> Void = { _ in }
    ) -> [RecipeProblem] {
        var recipe = TrainingRecipe()
        change(&recipe)
        do throws(RecipeError) {
            _ = try recipe.validated(for: model, rows: rows)
            return []
        } catch {
            return error.problems
        }
    }

    @Test func theDefaultsAreThoseOfTheContract() throws {
        let checked = try TrainingRecipe().validated(for: Self.outline, rows: Self.facts)
        let recipe = checked.recipe
        #expect(checked.notes.isEmpty)
        #expect(recipe.adapter.rank == 16 && recipe.adapter.alpha == 32)
        #expect(recipe.optimiser.learningRate == 1e-4 && recipe.optimiser.hasByteMoments == false)
        #expect(recipe.batch.rowsPerStep == 8 && recipe.batch.microBatchTokensMax == 4096)
        #expect(recipe.epochs == 3 && recipe.earlyStopping.patience == 2)
        #expect(recipe.trains(.language) && !recipe.trains(.tower) && !recipe.trains(.projector))
        var full = TrainingRecipe()
        full.method = .full
        #expect(full.resolved().optimiser.learningRate == 1e-5)
        full.method = .qlora
        #expect(full.resolved().optimiser.hasByteMoments == true)
    }

    @Test func numbersThatCannotWorkAreRefusedWithTheFieldAndWhatIsAllowed() throws {
        let targets = Self.outline.adapted(by: TrainingRecipe()).map(\.layer)
        let width = try #require(targets.map { min($0.width, $0.outWidth) }.min())
        #expect(
            problems { $0.optimiser.learningRate = 10 }.map(\.message)
                == ["optimizer.learning_rate is 10.0; allowed is above 0 to 0.01"])
        #expect(
            problems { $0.adapter.rank = 0 }.map(\.message) == [
                "adapter.rank is 0; allowed is 1 to \(width), the width of the narrowest target"
            ])
        #expect(problems { $0.adapter.rank = width + 1 }.map(\.field) == ["adapter.rank"])
        #expect(problems { $0.adapter.rank = width }.isEmpty)
        #expect(problems { $0.epochs = 0 }.map(\.field) == ["epochs"])
        #expect(problems { $0.epochs = .nan }.map(\.field) == ["epochs"])
        #expect(problems { $0.optimiser.learningRate = .nan }.count == 1)
        #expect(problems { $0.adapter.dropout = 1 }.map(\.field) == ["adapter.dropout"])
        #expect(problems { $0.adapter.alpha = 0 }.map(\.field) == ["adapter.alpha"])
        #expect(problems { $0.batch.rowsPerStep = 0 }.map(\.field) == ["batch.rows_per_step"])
        #expect(problems { $0.optimiser.warmupShare = 0.6 }.count == 1)
        #expect(problems { $0.earlyStopping.patience = 0 }.count == 1)
        #expect(problems { $0.checkpointsKept = 1001 }.count == 1)
        #expect(problems { $0.servingRankMax = 8 }.map(\.field) == ["adapter.rank"])
        let block = problems {
            $0.method = .qlora
            $0.adapter.nf4Block = 128
        }
        #expect(block.map(\.field) == ["adapter.nf4_block_size"])
        // All of them at once, not one after another.
        let both = problems {
            $0.adapter.rank = 0
            $0.epochs = 0
        }
        #expect(both.count == 2)
    }

    @Test func anUnknownTargetIsAnsweredWithNearOnes() {
        var language = PartTuning()
        language.targets = ["q_porj", "v_proj"]
        let found = problems { $0.parts[.language] = language }
        #expect(found.map(\.reason) == ["TARGET_UNKNOWN"])
        #expect(found.first?.allowed.hasSuffix("nearest is q_proj, k_proj, o_proj") == true)
        language.targets = ["q_proj", "self_attn.v_proj"]
        #expect(problems { $0.parts[.language] = language }.isEmpty)
        language.targets = ["fc1"]
        #expect(problems { $0.parts[.language] = language }.count == 1)
    }

    @Test func rowsThatCannotTrainAreRefused() {
        func reasons(_ facts: DatasetFacts, _ model: ModelOutline = Self.outline) -> [String] {
            problems(rows: facts, in: model).map(\.reason)
        }
        var facts = Self.facts
        facts.validation = []
        #expect(reasons(facts) == ["VALIDATION_SPLIT_MISSING"])
        facts = Self.facts
        facts.train = (0..<9).map { Self.row($0, trained: 0) }
        #expect(reasons(facts) == ["LOSS_MASK_INVALID"])
        facts.train = (0..<9).map { Self.row($0, trained: 9) }
        #expect(reasons(facts) == ["LOSS_MASK_INVALID"])
        facts.train = [
            RowFacts(index: 0, id: "a", tokens: 10, trainedTokens: 3, images: (1, 0))
        ]
        #expect(reasons(facts) == ["IMAGE_TOKENS_MISSING"])
        facts.train = [
            RowFacts(index: 0, id: "a", tokens: 10, trainedTokens: 3, images: (1, 4))
        ]
        #expect(reasons(facts) == [])
        let blind = ModelOutline(
            layers: Self.outline.layers, parameters: Self.outline.parameters, lengthMax: 4096,
            takesImages: false)
        #expect(reasons(facts, blind) == ["IMAGE_TOKENS_MISSING"])
        facts = Self.facts
        facts.rejected = [OverlongRow(id: "long", tokens: 5000, imageTokens: 0)]
        #expect(reasons(facts) == ["CONTEXT_EXCEEDED"])
    }

    @Test func aMicroBatchMustHoldTheLongestRow() {
        var facts = Self.facts
        facts.train.append(Self.row(10, tokens: 5000, trained: 3))
        #expect(problems(rows: facts).isEmpty)
        let found = problems(rows: facts) { $0.batch.microBatchTokensMax = 4999 }
        #expect(found.map(\.allowed) == ["5000 or more, the longest row's tokens"])
    }

    @Test func unusualValuesAreNoted() throws {
        var recipe = TrainingRecipe()
        (recipe.adapter.rank, recipe.epochs, recipe.optimiser.learningRate) = (8, 6, 1e-3)
        let notes = try recipe.validated(for: Self.outline, rows: Self.facts).notes
        #expect(Set(notes.map(\.field)) == ["adapter.rank", "epochs", "optimizer.learning_rate"])
    }

    @Test func partsHaveRanksTargetsAndLearningRatesOfTheirOwn() throws {
        var recipe = TrainingRecipe()
        recipe.optimiser.learningRate = 1e-4
        var tower = PartTuning()
        (tower.rank, tower.targets, tower.learningRate) = (2, ["fc1"], 1e-5)
        recipe.parts[.tower] = tower
        var projector = PartTuning()
        projector.isWhole = true
        recipe.parts[.projector] = projector
        let checked = try recipe.validated(for: Self.outline, rows: Self.facts)
        let model = try LoadedModel(
            folder: TinyModel.golden.folder, checked.recipe.weightPlan, on: cpu)
        guard case .adapter(let adapter) = try TrainedWeights(startOf: checked.recipe, in: model)
        else {
            Issue.record("no adapter")
            return
        }
        let terms = adapter.sites.terms
        let ends = Set(
            terms.map {
                "\(ModelPart(of: $0.path)) \($0.path.split(separator: ".").last ?? "") \($0.rank)"
            })
        #expect(
            ends == [
                "tower fc1 2", "language q_proj 16", "language k_proj 16", "language v_proj 16",
                "language o_proj 16",
            ])
        #expect(terms.allSatisfy { $0.scale == 2 })
        #expect(
            adapter.sites.wholes.map(\.parameter).allSatisfy { ModelPart(of: $0) == .projector })
        #expect(adapter.sites.wholes.count == 4)
        #expect(adapter.sites.trainableCount == Self.outline.trainedCount(checked.recipe))
        #expect(
            terms.map(\.path).sorted()
                == Self.outline.adapted(by: checked.recipe).map(\.layer.path).sorted())
    }

    @Test(arguments: GoldenFamily.all)
    func headersOfFilesTellWhatTheModelIs(golden: GoldenFamily) throws {
        let loaded = ModelOutline(try golden.load(on: cpu))
        let read = try ModelOutline(folder: golden.folder)
        #expect(read.lengthMax == loaded.lengthMax && read.takesImages == loaded.takesImages)
        #expect(Set(read.layers) == Set(loaded.layers))
        #expect(Set(read.parameters) == Set(loaded.parameters))
    }

    @Test func aFrozenPartStaysAsItIs() throws {
        var recipe = TrainingRecipe()
        recipe.method = .full
        let plan = recipe.resolved().weightPlan
        #expect(plan.isTrainable("model.language_model.layers.0.self_attn.q_proj.weight"))
        #expect(!plan.isTrainable("model.vision_tower.encoder.layers.0.mlp.fc1.weight"))
        #expect(!plan.isTrainable("lm_head.weight"))
        var language = PartTuning()
        language.isFrozen = true
        #expect(problems { $0.parts[.language] = language }.map(\.field) == ["parts"])
    }
}
