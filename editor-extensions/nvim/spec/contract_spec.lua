local protocol = require("lucastra.protocol")

describe("the plugin's requests", function()
  it("are all in the contract", function()
    local known = {}
    for name in pairs(protocol.methods) do
      known[name] = true
    end
    local used = 0
    for _, file in ipairs(vim.fn.globpath("lua", "**/*.lua", true, true)) do
      local source = table.concat(vim.fn.readfile(file), "\n")
      for name in source:gmatch("%f[%w_]methods%.([%l_]+)") do
        assert.is_true(known[name] or file:find("protocol.lua", 1, true) ~= nil, file .. ": " .. name)
        used = used + 1
      end
    end
    assert.truthy(used > 10)
  end)
end)
