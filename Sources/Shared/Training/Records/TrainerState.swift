package import Base
import Text

/// `trainer_state.json`, as transformers writes and reads it.
package struct TrainerState: Sendable, Hashable {
    /// Steps done, and passes done over the train split.
    package var step = 0
    package var epoch = 0.0
    /// Of the whole run.
    package var steps = 0
    package var epochs = 0.0
    /// 0 for at the end of each epoch.
    package var evaluationInterval = 0, checkpointInterval = 0
    package var rowsPerStep = 1
    /// All tokens so far, images included.
    package var tokens = 0
    /// The best value of the metric that decides, the step and the checkpoint that it was at.
    package var best: BestMeasure?
    package var history: [LogEntry] = []

    package init() {}

    /// The file.
    package func json() -> Bytes {
        var json = JSONText()
        json.object { json in
            if let best {
                json.member("best_global_step", best.step)
                json.member("best_metric", best.value)
            } else {
                json.key("best_global_step")
                json.null()
                json.key("best_metric")
                json.null()
            }
            json.key("best_model_checkpoint")
            if let name = best?.checkpoint { json.value(name) } else { json.null() }
            json.member("epoch", epoch)
            json.member("eval_steps", evaluationInterval)
            json.member("global_step", step)
            json.member("is_hyper_param_search", false)
            json.member("is_local_process_zero", true)
            json.member("is_world_process_zero", true)
            json.key("log_history")
            json.array { json in
                for entry in history { entry.write(&json) }
            }
            rest(&json)
        }
        json.newline()
        return Bytes(json.utf8)
    }

    private func rest(_ json: inout JSONText) {
        json.member("logging_steps", 1)
        json.member("max_steps", steps)
        json.member("num_input_tokens_seen", tokens)
        json.member("num_train_epochs", epochs)
        json.member("save_steps", checkpointInterval)
        json.key("stateful_callbacks")
        json.object { _ in }
        json.member("total_flos", 0)
        json.member("train_batch_size", rowsPerStep)
        json.key("trial_name")
        json.null()
        json.key("trial_params")
        json.null()
    }

    /// The history of a file that `json` wrote; nil if it is something else.
    static func history(of root: JSONNode) -> [LogEntry]? {
        guard let list = root["log_history"], list.isArray else { return nil }
        var history: [LogEntry] = []
        for node in list.elements {
            guard let step = node["step"]?.int, let epoch = node["epoch"]?.double else {
                return nil
            }
            let values = node.members.compactMap { key, value in
                value.double.map { LogEntry.Value(key.string ?? "", $0) }
            }.filter { $0.name != "step" && $0.name != "epoch" }
            history.append(LogEntry(step: step, epoch: epoch, values))
        }
        return history
    }
}

/// The best evaluation so far, by the metric that decides.
package struct BestMeasure: Sendable, Hashable, Codable {
    package let value: Double
    /// Steps done at it.
    package let step: Int
    /// The checkpoint that holds it; nil until it is written.
    package internal(set) var checkpoint: String?
}
