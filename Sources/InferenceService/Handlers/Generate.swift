import Generation
import Messages
import Models
import RPC
import Text

extension ServedModel {
    /// `Generate`.
    func generate(
        _ request: GenerateRequest, by principal: String
    ) async throws -> GenerateResponse {
        let visit = try tenants.enter(principal, target: request.target)
        defer { visit.end() }
        let call = try await AnswerCall(request, of: visit.tenant, self)
        let use = shelf.use(call.target)
        defer { use.end() }
        var isAnswered = false
        defer { if !isAnswered { metrics.countAborted() } }
        var writer = AnswerWriter(call, model.inputs.chat.tokenizer)
        for try await event in call.events {
            switch event {
            case .begun(let time): writer.take(begin: time)
            case .piece(let piece, let time): _ = try writer.take(piece, at: time)
            }
        }
        // The events of a caller who left end early.
        try Task.checkCancellation()
        isAnswered = true
        let response = writer.response
        metrics.count(response, call.target)
        return response
    }

    /// `GenerateStream`.
    func generate(
        _ request: GenerateRequest, by principal: String,
        to responses: ResponseWriter<GenerateStreamResponse>
    ) async throws {
        let visit = try tenants.enter(principal, target: request.target)
        defer { visit.end() }
        let call = try await AnswerCall(request, of: visit.tenant, self)
        let use = shelf.use(call.target)
        defer { use.end() }
        var isAnswered = false
        defer { if !isAnswered { metrics.countAborted() } }
        var writer = AnswerWriter(call, model.inputs.chat.tokenizer)
        for try await event in call.events {
            switch event {
            case .begun(let time):
                writer.take(begin: time)
                try await responses.write(.with { $0.part = .start(writer.start) })
            case .piece(let piece, let time):
                let (delta, end) = try writer.take(piece, at: time)
                if let delta { try await responses.write(.with { $0.part = .delta(delta) }) }
                guard var end else { continue }
                end.tokens = []
                let last = end
                try await responses.write(
                    .with { $0.part = .answerEnd(.with { $0.answer = last }) })
            }
        }
        try Task.checkCancellation()
        isAnswered = true
        metrics.count(writer.response, call.target)
        try await responses.write(.with { $0.part = .end(writer.end) })
    }
}
