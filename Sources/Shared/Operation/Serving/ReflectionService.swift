import Base
import Messages
package import RPC

extension Router {
    /// Answers server reflection, v1 and v1alpha, for the services registered so far and itself.
    /// Asks for no credentials: the contract is public.
    package mutating func registerReflection() {
        declare(
            service: ReflectionV1.ServerReflection.name,
            methods: ReflectionV1.ServerReflection.methods)
        declare(
            service: ReflectionV1Alpha.ServerReflection.name,
            methods: ReflectionV1Alpha.ServerReflection.methods)
        let reflection = Reflection(descriptors: .shared, services: services.sorted())
        register(ReflectionV1.ServerReflection.serverReflectionInfo, needs: nil) {
            requests, _, responses in
            while let request = try await requests.next() {
                try await responses.write(reflection.answer(request))
            }
        }
        register(ReflectionV1Alpha.ServerReflection.serverReflectionInfo, needs: nil) {
            requests, _, responses in
            while let request = try await requests.next() {
                // Both versions have the same fields with the same numbers.
                let question = try ReflectionV1.ServerReflectionRequest(
                    decoding: try request.encoded())
                let answer = try reflection.answer(question).encoded()
                try await responses.write(
                    ReflectionV1Alpha.ServerReflectionResponse(decoding: answer))
            }
        }
    }
}

/// Looks up what reflection asks for.
struct Reflection: Sendable {
    private typealias Answer = ReflectionV1.ServerReflectionResponse.MessageResponse

    private let descriptors: Descriptors
    private let services: [String]

    /// - Parameter services: the full names to list, sorted
    init(descriptors: Descriptors, services: [String]) {
        (self.descriptors, self.services) = (descriptors, services)
    }

    func answer(_ request: ReflectionV1.ServerReflectionRequest)
        -> ReflectionV1.ServerReflectionResponse
    {
        var response = ReflectionV1.ServerReflectionResponse()
        response.validHost = request.host
        response.originalRequest = request
        response.messageResponse = answer(request.messageRequest)
        return response
    }

    private func answer(_ question: ReflectionV1.ServerReflectionRequest.MessageRequest?) -> Answer
    {
        switch question {
        case .fileByFilename(let name)?:
            return file(descriptors.file(named: name), "file", name)
        case .fileContainingSymbol(let symbol)?:
            return file(descriptors.file(defining: symbol), "symbol", symbol)
        case .fileContainingExtension(let wanted)?:
            return notFound("an extension \(wanted.extensionNumber) of", wanted.containingType)
        case .allExtensionNumbersOfType(let type)?:
            guard descriptors.file(defining: type) != nil else { return notFound("a type", type) }
            var numbers = ReflectionV1.ExtensionNumberResponse()
            numbers.baseTypeName = type
            return .allExtensionNumbersResponse(numbers)
        case .listServices?:
            var list = ReflectionV1.ListServiceResponse()
            list.service = services.map { name in
                var service = ReflectionV1.ServiceResponse()
                service.name = name
                return service
            }
            return .listServicesResponse(list)
        case nil:
            return failure(.invalidArgument, "the request asks nothing; set one of its questions")
        }
    }

    /// The file and all that it needs, so that a client can build it at once.
    private func file(_ file: Descriptors.File?, _ what: String, _ name: String) -> Answer {
        guard let file else { return notFound("a \(what)", name) }
        var response = ReflectionV1.FileDescriptorResponse()
        // The file asked for comes first: clients take the first as the answer.
        response.fileDescriptorProto = descriptors.closure(of: file).reversed().map(\.bytes)
        return .fileDescriptorResponse(response)
    }

    private func notFound(_ what: String, _ name: String) -> Answer {
        failure(.notFound, "this server knows of no such thing as \(what) '\(name)'")
    }

    private func failure(_ code: StatusCode, _ message: String) -> Answer {
        var error = ReflectionV1.ErrorResponse()
        error.errorCode = Int32(code.rawValue)
        error.errorMessage = message
        return .errorResponse(error)
    }
}
