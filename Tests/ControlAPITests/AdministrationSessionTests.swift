// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import Testing

@testable import ControlAPI

@Suite struct AdministrationSessionTests {
    @Test(arguments: [
        ("10.0.0.5 51000 10.0.0.1 22", "10.0.0.5", 22), ("2001:db8::5 51000 2001:db8::1 2222", "2001:db8::5", 2222),
        ("fe80::5%eth0 51000 fe80::1%eth0 22", "fe80::5", 22),
    ]) func `reads what sshd leaves in the environment`(text: String, client: String, port: UInt16) throws {
        let session = try #require(AdministrationSession(sshConnection: text))
        #expect(session == AdministrationSession(client: try #require(IPAddress(client)), port: port))
        #expect(AdministrationSession(item: session.item) == session)
    }

    @Test(arguments: ["", "10.0.0.5", "10.0.0.5 51000 10.0.0.1", "x 1 y 22", "10.0.0.5 1 10.0.0.1 99999", "% 1 % 22"])
    func `anything else is no session`(text: String) {
        #expect(AdministrationSession(sshConnection: text) == nil)
        #expect(AdministrationSession(item: text) == nil)
    }

    @Test func `is found through sudo, which takes the variable away`() throws {
        let processes: [Int32: (variables: [String], parent: Int32)] = [
            30: (["PATH=/bin"], 20), 20: (["X=1", "SSH_CONNECTION=10.0.0.5 1 10.0.0.1 2222"], 10), 10: ([], 1),
            40: ([], 50), 50: ([], 40),
        ]
        #expect(AdministrationSession(of: 30) { processes[$0] }?.port == 2222)
        #expect(AdministrationSession(of: 10) { processes[$0] } == nil)
        #expect(AdministrationSession(of: 40) { processes[$0] } == nil, "no end")
        #expect(AdministrationSession(of: 60) { processes[$0] } == nil)
    }
}
