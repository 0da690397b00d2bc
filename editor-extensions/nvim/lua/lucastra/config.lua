--- The plugin's settings: `vim.g.lucastra` (a table, or a function that returns one), else `setup()`.
local M = {}

---@class lucastra.Settings
local defaults = {
  --- Attach to the files of projects. `false` leaves that to `vim.lsp.enable("lucastra")`.
  enabled = true,
  --- What starts the relay; `lucastrad` may be a full path.
  cmd = { "lucastrad", "--stdio" },
  --- Environment variables of the relay, and of a daemon that it starts.
  env = {},
  --- What marks a project's folder: groups, of which the first that is found counts.
  root_markers = {
    { ".lucastra.json", ".lucastraignore", ".git", ".hg", ".jj", ".svn" },
    { "pyproject.toml", "package.json", "Cargo.toml", "go.mod", "pom.xml", "CMakeLists.txt", "Makefile" },
  },
  --- Milliseconds until the first try after the daemon was lost, and the longest until a further one.
  reconnect = { first_ms = 500, longest_ms = 30000 },
  search = {
    limit = 30,
    --- "hybrid", "keyword" or "vector".
    mode = "hybrid",
    --- "auto", "select", "telescope", "fzf-lua", "snacks" or "quickfix".
    picker = "auto",
  },
  chat = {
    --- "right", "left", "below", "above", "tab" or "current".
    position = "right",
    --- Share of the editor's columns or lines.
    size = 0.4,
    --- Passages that an answer is written from.
    passages = 5,
    --- `NAME` or `NAME/MODEL`; "" for the daemon's configured provider.
    provider = "",
    --- In the chat buffer only; `false` leaves one out.
    keys = { act = "<CR>", open = "gf", send = "<C-s>", stop = "<C-c>" },
  },
  completion = {
    enabled = true,
    --- Milliseconds without a key press before a completion is asked for (Neovim 0.11).
    debounce_ms = 75,
    --- Per filetype, such as `{ markdown = false }`; all others are completed.
    filetypes = {},
  },
}

local MODES = { "hybrid", "keyword", "vector" }
local PICKERS = { "auto", "select", "telescope", "fzf-lua", "snacks", "quickfix" }
local POSITIONS = { "right", "left", "below", "above", "tab", "current" }
local CHOICES = { ["search.mode"] = MODES, ["search.picker"] = PICKERS, ["chat.position"] = POSITIONS }
--- Tables whose keys, or whose elements, are the user's own.
local FREE = { cmd = true, env = true, root_markers = true, ["completion.filetypes"] = true }
--- Settings that may be `false` too.
local OPTIONAL = {
  ["chat.keys.act"] = true,
  ["chat.keys.open"] = true,
  ["chat.keys.send"] = true,
  ["chat.keys.stop"] = true,
}

local from_setup ---@type table?
local resolved ---@type lucastra.Settings?
local resolved_from ---@type any
local problems = {} ---@type string[]

--- Merge `given` over `known`, and note what cannot be meant.
---@param known table
---@param given table
---@param prefix string
---@param notes string[]
---@return table
local function merged(known, given, prefix, notes)
  local result = vim.deepcopy(known)
  for key, value in pairs(given) do
    local name = prefix .. tostring(key)
    local standard = known[key]
    if standard == nil then
      notes[#notes + 1] = ("there is no setting `%s`; :help lucastra-settings lists them"):format(name)
    elseif value == false and OPTIONAL[name] then
      result[key] = false
    elseif type(value) ~= type(standard) then
      notes[#notes + 1] = ("`%s` must be a %s, not a %s"):format(name, type(standard), type(value))
    elseif CHOICES[name] and not vim.list_contains(CHOICES[name], value) then
      notes[#notes + 1] = ("`%s` must be one of %s"):format(name, table.concat(CHOICES[name], ", "))
    elseif type(value) == "table" and not FREE[name] then
      result[key] = merged(standard, value, name .. ".", notes)
    else
      result[key] = value
    end
  end
  return result
end

--- The settings in force; what is wrong with them is in `problems()`.
---@return lucastra.Settings
function M.get()
  local given = vim.g.lucastra
  if resolved and vim.deep_equal(given, resolved_from) then
    return resolved
  end
  resolved_from = given
  if type(given) == "function" then
    given = given()
  end
  problems = {}
  if given ~= nil and type(given) ~= "table" then
    problems[1] = "`vim.g.lucastra` must be a table, or a function that returns one"
    given = nil
  end
  resolved = merged(defaults, vim.tbl_deep_extend("force", given or {}, from_setup or {}), "", problems)
  return resolved
end

--- What is wrong with the settings, a sentence each.
---@return string[]
function M.problems()
  M.get()
  return problems
end

--- Set settings from Lua, over those of `vim.g.lucastra`.
---@param settings? table
function M.setup(settings)
  vim.validate("settings", settings, "table", true)
  from_setup = settings
  resolved = nil
end

--- Whether completions are offered in files of this type.
---@param filetype string
---@return boolean
function M.completes(filetype)
  local completion = M.get().completion
  return completion.enabled and completion.filetypes[filetype] ~= false
end

return M
