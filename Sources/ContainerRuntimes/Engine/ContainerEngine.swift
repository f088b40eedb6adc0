// SPDX-License-Identifier: Apache-2.0

package import LinuxHost
import LocalHTTP
package import Logging

/// The containers of a podman or Docker daemon, followed through its socket.
package struct ContainerEngine: WorkloadSource {
    private let api: any EngineAPI
    private let socketPath: String
    private let host: NetworkNamespace
    private let logger: Logger

    private init(_ api: any EngineAPI, socketPath: String, host: NetworkNamespace, logger: Logger) {
        self.api = api
        self.socketPath = socketPath
        self.host = host
        self.logger = logger
    }

    /// `podman` or `docker`.
    package var name: String { api.name }

    /// Podman's libpod service.
    /// - Parameter host: the namespace whose links are attached to.
    package static func podman(
        socketPath: String = "/run/podman/podman.sock", host: NetworkNamespace = .own, logger: Logger
    ) -> ContainerEngine {
        ContainerEngine(PodmanAPI(), socketPath: socketPath, host: host, logger: logger)
    }

    /// The Docker daemon.
    /// - Parameter host: the namespace whose links are attached to.
    package static func docker(
        socketPath: String = "/var/run/docker.sock", host: NetworkNamespace = .own, logger: Logger
    ) -> ContainerEngine {
        ContainerEngine(DockerAPI(), socketPath: socketPath, host: host, logger: logger)
    }

    package func changes() -> AsyncStream<WorkloadChange> {
        let (stream, continuation) = AsyncStream.makeStream(of: WorkloadChange.self)
        let task = Task {
            defer { continuation.finish() }
            do {
                let follower = try EngineFollower(
                    api: api, client: LocalHTTPClient(socketPath: socketPath), host: host, logger: logger
                ) { continuation.yield($0) }
                await follower.run()
            } catch {
                let message = "\(name) is not followed: \(error)"
                continuation.yield(.status(WorkloadSourceStatus(isConnected: false, message: message)))
            }
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }
}
