// SPDX-License-Identifier: Apache-2.0

/// `/_double`: what a test in the server's own process does by calls, for tests in other processes.
///
/// | request | effect |
/// |---|---|
/// | PUT, DELETE /_double/objects/PATH | the object at a path of the API, set or removed at once |
/// | POST /_double/objects | an object, or a list of them, with kind and apiVersion |
/// | POST /_double/faults | sets `{"fault": …, "resource": "pods", "verb": "list", "times": 1}`, answers its number |
/// | DELETE /_double/faults[?number=N] | clears one, or all |
/// | POST /_double/ACTION | end-watches, compact, set-back, break-connections, freeze-connections, go-away, rotate-certificate |
/// | POST /_double/down?milliseconds=N | nobody is served for so long; meanwhile `{"apply": [objects], "remove": [paths]}` happens |
/// | POST, DELETE /_double/churn | changes pods at a rate, `{"perSecond": 100}`; stops |
/// | POST /_double/load | makes a cluster, `{"nodes": 5000, "pods": 150000, "policies": 10000}` |
/// | GET /_double/counters | requests by verb, resource and status, watches, connections |
struct ControlEndpoint: Sendable {
    var double: KubernetesDouble

    func answer(to request: APIRequest) -> Answer {
        do { return Answer(try perform(request)) } catch { return Answer(error) }
    }

    private func perform(_ request: APIRequest) throws(APIError) -> JSON {
        let body: JSON
        do { body = request.body.isEmpty ? [:] : try JSON(parsing: request.body) } catch {
            throw .badRequest("\(error)")
        }
        let path = Array(request.path.dropFirst())
        switch (request.method, path.first ?? "") {
        case ("POST", "objects"): try double.store.apply(body["items"]?.elements ?? body.elements ?? [body])
        case ("PUT", "objects"): try double.store.set(path.dropFirst().joined(separator: "/"), body)
        case ("DELETE", "objects"):
            guard try double.store.remove(path.dropFirst().joined(separator: "/")) else { throw .noSuchPath }
        case ("POST", "faults"):
            let number = double.faults.set(
                try Fault(body), on: body["resource"]?.text, verb: body["verb"]?.text.flatMap(Verb.init),
                times: body["times"]?.integer)
            return ["number": JSON(integerLiteral: number)]
        case ("DELETE", "faults"): double.faults.clear(request.query["number"].flatMap { Int($0) })
        case ("GET", "counters"): return double.counters.document
        case ("POST", "load"):
            let size = ClusterSize(
                nodes: body["nodes"]?.integer ?? 0, pods: body["pods"]?.integer ?? 0,
                policies: body["policies"]?.integer ?? 0)
            try double.load.make(size)
        case ("POST", "churn"): double.load.startChurn(perSecond: body["perSecond"]?.integer ?? 100)
        case ("DELETE", "churn"): double.load.stopChurn()
        case ("POST", "down"): goDown(milliseconds: request.query["milliseconds"].flatMap { Int($0) } ?? 1000, body)
        case ("POST", let action): try act(action, request)
        default: throw .noSuchPath
        }
        return ["version": JSON(integerLiteral: double.store.version)]
    }

    private func goDown(milliseconds: Int, _ body: JSON) {
        let double = double
        Task {
            await double.stop()
            _ = try? double.store.apply(body["apply"]?.elements ?? [])
            for path in body["remove"]?.elements ?? [] { _ = try? double.store.remove(path.text ?? "") }
            try? await Task.sleep(for: .milliseconds(milliseconds))
            try? await double.restart()
        }
    }

    private func act(_ action: String, _ request: APIRequest) throws(APIError) {
        let plural = request.query["resource"]
        let resource = double.store.withState { state in
            state.resources.keys.first { $0.plural == plural || $0.description == plural }
        }
        if plural != nil, resource == nil { throw .badRequest("no resource is called '\(plural ?? "")'") }
        switch action {
        case "end-watches": double.endWatches(of: resource)
        case "compact": double.store.compact(resource)
        case "set-back": double.store.setBack()
        case "break-connections": double.breakConnections(reset: request.isSet("reset"))
        case "freeze-connections": double.freezeConnections()
        case "go-away": double.goAway()
        case "rotate-certificate":
            do {
                let authority = request.isSet("authority") ? try Authority() : nil
                try double.rotateCertificate(
                    seconds: request.query["seconds"].flatMap { Double($0) } ?? 86400, authority: authority)
            } catch { throw .internalError("\(error)") }
        default: throw .noSuchPath
        }
    }
}

extension Counters {
    /// The counters as a document.
    var document: JSON {
        var requests: [String: Int] = [:]
        for request in self.requests {
            let resource = request.resource?.description ?? "-"
            requests["\(request.verb.rawValue) \(resource) \(request.code)", default: 0] += 1
        }
        return [
            "total": JSON(integerLiteral: total), "openWatches": JSON(integerLiteral: openWatches()),
            "openConnections": JSON(integerLiteral: openConnections), "connections": JSON(integerLiteral: connections),
            "requests": .object(
                JSONObject(requests.sorted { $0.key < $1.key }.map { ($0.key, JSON(integerLiteral: $0.value)) })),
        ]
    }
}
