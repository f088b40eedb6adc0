// SPDX-License-Identifier: Apache-2.0

import Glibc
import KubernetesClient
import KubernetesDouble
import LinuxHost
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) final class KubeconfigTests {
    private let folder = "/tmp/bulkhead-kubeconfig-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"

    init() throws { try createDirectory(folder) }

    deinit {
        for name in (try? directoryEntries(folder)) ?? [] { unsafe unlink("\(folder)/\(name)") }
        unsafe rmdir(folder)
    }

    private func write(_ name: String, _ text: String, mode: mode_t = 0o600) throws -> String {
        try AtomicFile.write(Array(text.utf8), to: "\(folder)/\(name)", mode: mode)
        return "\(folder)/\(name)"
    }

    private func config(cluster: String = "", user: String, server: String = "https://10.0.0.1:6443/") throws -> String
    {
        try write(
            "config",
            """
            apiVersion: v1
            kind: Config
            current-context: here
            contexts:
            - {name: here, context: {cluster: c, user: u, namespace: shop}}
            - {name: bad, context: {cluster: nowhere}}
            clusters:
            - name: c
              cluster: {server: "\(server)"\(cluster)}
            users:
            - name: u
              user: {\(user)}
            """)
    }

    @Test func `all of a context is taken`() throws {
        let path = try config(
            cluster: ", certificate-authority-data: Y2E=, tls-server-name: kubernetes, proxy-url: \"http://p:3128\"",
            user: "client-certificate: pki/a.crt, client-key: /pki/a.key")
        let configuration = try KubernetesConfiguration.kubeconfig(path)
        #expect(configuration.server == "https://10.0.0.1:6443" && configuration.namespace == "shop")
        #expect(configuration.authority == .inline(Array("ca".utf8)) && configuration.serverName == "kubernetes")
        #expect(configuration.certificate == .file("\(folder)/pki/a.crt") && configuration.key == .file("/pki/a.key"))
        #expect(configuration.proxy == "http://p:3128" && !configuration.isInsecure)
    }

    @Test(arguments: [
        ("client-certificate: a", "belong together"), ("auth-provider: {name: gcp}", "auth-provider"),
        ("exec: {command: x, apiVersion: v1alpha1}", "v1beta1 are known"),
        ("exec: {apiVersion: client.authentication.k8s.io/v1}", "without `command`"),
        ("exec: {command: x, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Always}", "terminal"),
        ("client-certificate-data: \"*\", client-key-data: a", "not base64"),
    ])
    func `what cannot be used is told with its place`(user: String, reason: String) throws {
        let path = try config(user: user)
        #expect { try KubernetesConfiguration.kubeconfig(path) } throws: {
            let text = "\($0)"
            return text.contains(reason) && text.contains("\(path):")
        }
    }

    @Test func `a context that leads nowhere is told`() throws {
        let path = try config(user: "token: t")
        #expect { try KubernetesConfiguration.kubeconfig(path, context: "bad") } throws: { "\($0)".contains("nowhere") }
        #expect { try KubernetesConfiguration.kubeconfig(path, context: "none") } throws: { "\($0)".contains("none") }
    }

    @Test func `a plugin is asked, for as long as its credential lasts, and again when that is refused`() async throws {
        let double = try await KubernetesDouble.start()
        double.access.require(token: "first")
        try double.setPod("a", "web")
        _ = try write("token", "first")
        _ = try write(
            "plugin",
            """
            #!/bin/sh
            echo asked >>"$BULKHEAD_FOLDER/asked"
            case $KUBERNETES_EXEC_INFO in *'"cluster":{'*'"server":"\(double.url)"'*) ;; *) exit 3 ;; esac
            [ "$1" = get-token ] || exit 4
            echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1",'
            echo "\\"status\\":{\\"expirationTimestamp\\":\\"2099-01-01T00:00:00Z\\",\\"token\\":\\"$(cat "$BULKHEAD_FOLDER/token")\\"}}"
            """, mode: 0o700)
        let path = try config(
            user: "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, args: [get-token], "
                + "provideClusterInfo: true, env: [{name: BULKHEAD_FOLDER, value: \"\(folder)\"}]}", server: double.url)
        let client = KubernetesClient(try .kubeconfig(path))
        for _ in 0..<3 { _ = try await client.send("GET", "/api/v1/pods") }
        #expect(try readTextFile("\(folder)/asked") == "asked\n")
        double.access.require(token: "second")
        _ = try write("token", "second")
        _ = try await client.send("GET", "/api/v1/pods")
        #expect(try readTextFile("\(folder)/asked") == "asked\nasked\n")
        double.access.require(token: "third")
        await #expect { try await client.send("GET", "/api/v1/pods") } throws: {
            ($0 as? KubernetesError)?.kind == .unauthorized
        }
        await client.shutDown()
        await double.stop()
    }

    @Test(arguments: [
        ("exit 7", "ended with 7"), ("echo '{}'", "no ExecCredential"), ("kill -9 $$", "signal 9"),
        (#"echo '{"kind":"ExecCredential","status":{}}'"#, "neither a token"),
    ])
    func `a plugin that fails is told`(script: String, reason: String) async throws {
        _ = try write("plugin", "#!/bin/sh\n\(script)\n", mode: 0o700)
        let path = try config(user: "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin}")
        let client = KubernetesClient(try .kubeconfig(path))
        await #expect { try await client.send("GET", "/api/v1/pods") } throws: { "\($0)".contains(reason) }
        await client.shutDown()
    }

    @Test func `a plugin that is absent is told with its hint`() async throws {
        let path = try config(
            user:
                "exec: {apiVersion: client.authentication.k8s.io/v1, command: bulkhead-no-such-plugin, installHint: get it}"
        )
        let client = KubernetesClient(try .kubeconfig(path))
        await #expect { try await client.send("GET", "/api/v1/pods") } throws: { "\($0)".contains("get it") }
        await client.shutDown()
    }
}
