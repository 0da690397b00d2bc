--- Choosing among places: with the picker that the user has, or with `vim.ui.select`.
local config = require("lucastra.config")
local place = require("lucastra.place")

local M = {}

--- Tried in this order where the setting is "auto"; the module tells whether one is installed.
local INSTALLED = { { "snacks", "snacks.picker" }, { "telescope", "telescope.pickers" }, { "fzf-lua", "fzf-lua" } }

---@param places lucastra.Place[]
---@param title string
local function with_select(places, title)
  local function format_item(one)
    return ("%s  %s"):format(place.label(one), place.summary(one))
  end
  vim.ui.select(places, { prompt = title, kind = "lucastra", format_item = format_item }, function(chosen)
    if chosen then
      place.open(chosen)
    end
  end)
end

---@param places lucastra.Place[]
---@param title string
local function with_telescope(places, title)
  local settings = require("telescope.config").values
  local function entry_maker(one)
    local display = place.label(one)
    return {
      value = one,
      display = display,
      ordinal = display .. " " .. one.text,
      filename = one.file,
      lnum = one.first,
      lnend = one.last,
      col = 1,
      text = place.summary(one),
    }
  end
  require("telescope.pickers")
    .new({}, {
      prompt_title = title,
      finder = require("telescope.finders").new_table({ results = places, entry_maker = entry_maker }),
      sorter = settings.generic_sorter({}),
      previewer = settings.grep_previewer({}),
    })
    :find()
end

---@param places lucastra.Place[]
---@param title string
local function with_fzf_lua(places, title)
  local fzf = require("fzf-lua")
  local lines = vim.tbl_map(function(one)
    return ("%s:%d:1:%s %s"):format(one.file, one.first, one.symbol, place.summary(one))
  end, places)
  fzf.fzf_exec(lines, {
    prompt = "LucAstra> ",
    winopts = { title = " " .. title .. " " },
    previewer = "builtin",
    fzf_opts = { ["--no-sort"] = true, ["--multi"] = true, ["--delimiter"] = ":", ["--nth"] = "1,4.." },
    actions = fzf.config.globals.actions.files,
  })
end

---@param places lucastra.Place[]
---@param title string
local function with_snacks(places, title)
  local items = {}
  for rank, one in ipairs(places) do
    items[rank] = {
      idx = rank,
      text = place.label(one) .. " " .. one.text,
      file = one.file,
      pos = { one.first, 0 },
      end_pos = { one.last, 0 },
      line = place.summary(one),
    }
  end
  require("snacks.picker").pick({ title = title, items = items, format = "file", preview = "file" })
end

local SHOW = {
  select = with_select,
  telescope = with_telescope,
  ["fzf-lua"] = with_fzf_lua,
  snacks = with_snacks,
  quickfix = place.to_quickfix,
}

--- The picker that `pick` will use.
---@return "select"|"telescope"|"fzf-lua"|"snacks"|"quickfix"
function M.chosen()
  local wanted = config.get().search.picker
  if wanted ~= "auto" then
    return wanted
  end
  for _, candidate in ipairs(INSTALLED) do
    if pcall(require, candidate[2]) then
      return candidate[1]
    end
  end
  return "select"
end

--- Let the user choose a place, which is then opened.
---@param places lucastra.Place[] Best first.
---@param title string
function M.pick(places, title)
  SHOW[M.chosen()](places, title)
end

return M
