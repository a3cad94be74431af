import Evaluation
import Generation
import Quality

// Names that the contract has too; see RunTypes.

typealias JSONAnswerSchema = AnswerSchema
typealias AnswerFinish = FinishReason
typealias LossWatch = OverfittingWatch
