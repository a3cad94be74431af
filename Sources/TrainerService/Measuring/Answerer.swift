import Base
import Foundation
import Generation
import Images
import Layers
import Messages
import Models
import Numerics
import Quality
import Text
import Training

/// A loaded model that answers rows as the serving path does.
final class Answerer {
    /// A row with what is shown before it.
    struct Question {
        let row: StreamedExample
        let shots: [StreamedExample]
    }

    let model: LoadedModel
    private let plan: MeasurePlan
    private let adapter: RequestAdapter?
    private let stops: Set<Int32>
    private let control: JobControl
    /// Tokens written so far.
    private(set) var tokens = 0

    init(_ parts: MeasureWork.Parts, _ control: JobControl) throws {
        (plan, self.control) = (parts.plan, control)
        let stored = parts.model.message.weightFormat
        let type: DType = stored == .float32 ? .float32 : .bfloat16
        let format: Numerics.WeightFormat? =
            switch parts.target.baseWeightFormat {
            case .nf4: .nf4Nested
            case .int8: .int8
            case .int4: .int4(group: 128, asymmetric: true)
            default: nil
            }
        let model = try LoadedModel(
            folder: parts.model.folder, .serving(type, format: format), on: parts.backend)
        adapter = try parts.adapter.map { folder in
            RequestAdapter(name: folder, terms: try Adapter(folder: folder, for: model).bound)
        }
        stops = try GenerationDefaults(
            folder: parts.model.folder, model.inputs.chat.tokenizer
        ).stopTokens
        self.model = model
    }

    /// A model that somebody else loaded, such as one in training.
    init(
        _ model: LoadedModel, _ plan: MeasurePlan, _ adapter: RequestAdapter?, _ stops: Set<Int32>,
        _ control: JobControl
    ) {
        (self.model, self.plan, self.adapter) = (model, plan, adapter)
        (self.stops, self.control) = (stops, control)
    }

    /// Answers questions together.
    func answers(
        _ questions: [Question], _ variant: MeasurePlan.Variant
    ) throws -> [Prediction] {
        let questions = questions.map { degraded($0, variant) }
        if variant.isConstrained { return try questions.map { try choice($0, variant) } }
        var requests: [GenerationRequest?] = []
        for question in questions {
            do {
                requests.append(try request(question, variant))
            } catch ModelError.tooLong {
                // A prompt that does not fit is a way to ask that does not work.
                requests.append(nil)
            }
        }
        let results = try generate(requests.compactMap { $0 })
        var next = results.makeIterator()
        return zip(questions, requests).map { question, request in
            Self.prediction(question.row, request == nil ? nil : next.next() ?? nil)
        }
    }

    // MARK: Degraded images

    /// The row with its images put through the variant's step, with the values that training would
    /// draw for this row in its first epoch. An image that cannot be changed stays as it is.
    private func degraded(
        _ question: Question, _ variant: MeasurePlan.Variant
    ) -> Question {
        guard let step = variant.degradation else { return question }
        let policy = Quality.AugmentationPolicy(steps: [plan.degradations[step]])
        let id = question.row.example.split(separator: "/").last.map(String.init) ?? ""
        let changes = policy.drawn(seed: plan.seed, epoch: 0, example: SplitPlan.hash(id))
        var row = question.row
        for index in row.images.indices {
            guard let image = try? Variant(of: row.images[index].content, changes).image,
                let bytes = try? image.png(level: 0)
            else { continue }
            row.images[index].content = bytes
            row.images[index].widthPixels = UInt32(clamping: image.width)
            row.images[index].heightPixels = UInt32(clamping: image.height)
        }
        return Question(row: row, shots: question.shots)
    }

    // MARK: Writing

    private func request(
        _ question: Question, _ variant: MeasurePlan.Variant
    ) throws -> GenerationRequest {
        let tokensMax = Int(plan.measuring.sampling?.tokensMax ?? 0)
        let prompt = Prompt(question.row, variant, shots: question.shots)
        let rules =
            variant.round == 0
            ? plan.rules : try SamplingRules(temperature: MeasurePlan.repeatTemperature)
        var request = GenerationRequest(
            try prompt.input(model), rules: rules, tokensMax: tokensMax == 0 ? 512 : tokensMax,
            stopTokens: stops)
        (request.adapter, request.topLogProbabilities) = (adapter, 0)
        request.seed = plan.seed(of: question.row.example, round: variant.round)
        return request
    }

    private func generate(_ requests: [GenerationRequest]) throws -> [GenerationResult?] {
        guard !requests.isEmpty else { return [] }
        let lengthMax = model.model.decoder.config.lengthMax
        let pages = requests.reduce(0) { sum, request in
            let rows = min(request.input.ids.count + request.tokensMax, lengthMax + 64)
            return sum + BlockTable.pages(forRows: max(rows, 1), pageRows: 64)
        }
        let generator = Generator(model, SchedulerLimits(pages: pages, pageRows: 64))
        let numbers = try requests.map { try generator.submit($0) }
        var found: [Int: GenerationResult] = [:]
        while !generator.isIdle {
            try control.check()
            for event in generator.step() {
                if let result = event.result { found[event.request] = result }
            }
        }
        tokens += found.values.reduce(0) { $0 + $1.ids.count }
        return numbers.map { found[$0] }
    }

    /// What is kept of an answer; nil stands for a prompt that does not fit.
    static func prediction(
        _ row: StreamedExample, _ result: GenerationResult?
    ) -> Prediction {
        var prediction = Prediction()
        (prediction.example, prediction.expected) = (row.example, row.answer)
        guard let result else {
            prediction.finishReason = .length
            return prediction
        }
        // Messages hold no NUL characters, and a model may write any.
        prediction.answer = result.text.replacing("\0", with: "\u{FFFD}")
        let sum = result.logProbabilities.reduce(0) { $0 + $1.logProbability }
        prediction.logProbability = sum
        prediction.confidence = exp(sum / Double(max(result.logProbabilities.count, 1)))
        prediction.finishReason = result.finish == .length ? .length : .stop
        return prediction
    }

    // MARK: Choosing

    /// The likeliest of the choices, each with its end; its share of their probability is its
    /// confidence.
    private func choice(
        _ question: Question, _ variant: MeasurePlan.Variant
    ) throws -> Prediction {
        var prediction = Prediction()
        (prediction.example, prediction.expected) = (question.row.example, question.row.answer)
        let prompt = Prompt(question.row, variant, shots: question.shots)
        var sums: [Double] = []
        do {
            let input = try prompt.input(model)
            let scorer = ChoiceScorer(model, input, adapter)
            for choice in plan.choices {
                try control.check()
                let whole = try prompt.input(model, answer: choice)
                let isAnswer = whole.ids.indices.map {
                    $0 >= input.ids.count && whole.isTrained[$0]
                }
                sums.append(
                    scorer.logProbabilities(whole.ids, isAnswer: isAnswer).reduce(0, +))
            }
        } catch ModelError.tooLong {
            prediction.finishReason = .length
            return prediction
        }
        guard let best = sums.indices.max(by: { (sums[$0], $1) < (sums[$1], $0) }) else {
            return prediction
        }
        prediction.answer = plan.choices[best]
        prediction.logProbability = sums[best]
        prediction.confidence = 1 / sums.reduce(0) { $0 + exp($1 - sums[best]) }
        prediction.finishReason = .stop
        return prediction
    }
}
