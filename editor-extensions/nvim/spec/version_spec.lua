local protocol = require("lucastra.protocol")
local version = require("lucastra.version")

describe("the version of the contract", function()
  it("is said in the hello", function()
    assert.equal(protocol.version, version.hello().protocolVersion)
  end)

  it("may be the same, whatever the releases are", function()
    assert.is_nil(version.mismatch({ daemonVersion = "9.9.9", protocolVersion = protocol.version }))
  end)

  it("of a newer daemon asks for a newer plugin", function()
    local said = version.mismatch({ daemonVersion = "9.0.0", protocolVersion = protocol.version + 1 })
    assert.truthy(said:find("lucastrad is version 9.0.0", 1, true) and said:find("update the plugin", 1, true))
  end)

  it("of an older daemon asks for a newer server", function()
    local said = version.mismatch({ daemonVersion = "0.9.0", protocolVersion = protocol.version - 1 })
    assert.truthy(said:find("pipx install --force", 1, true) and said:find(":Lucastra restart", 1, true))
  end)
end)
