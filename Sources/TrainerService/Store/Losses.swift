import Evaluation
import Messages
import Resources
import Storage

extension TrainerStore {
    /// Points of a curve; of more, an even choice with the first and the last is drawn.
    private static let pointsMax = 1_000

    /// The losses that a training job told of: of its steps, and of its evaluations.
    func losses(
        of job: JobName
    ) async throws -> (train: [LossWatch.Point], validation: [LossWatch.Point]) {
        try await reader.read { db in
            let job = try db.job(job)
            let steps = try db.events(of: job, kind: .step).compactMap { event in
                guard case .step(let step)? = event.body, step.trainedTokens > 0 else {
                    return nil as LossWatch.Point?
                }
                return LossWatch.Point(step: Int(clamping: step.step), loss: step.loss)
            }
            let evaluations = try db.events(of: job, kind: .evaluation).compactMap { event in
                guard case .evaluation(let told)? = event.body,
                    let loss = told.measures.first(where: { $0.name == "loss" })
                else { return nil as LossWatch.Point? }
                return LossWatch.Point(step: Int(clamping: told.step), loss: loss.value)
            }
            return (Self.thinned(steps), Self.thinned(evaluations))
        }
    }

    private static func thinned(_ points: [LossWatch.Point]) -> [LossWatch.Point] {
        guard points.count > pointsMax else { return points }
        return (0..<pointsMax).map { points[$0 * (points.count - 1) / (pointsMax - 1)] }
    }
}
