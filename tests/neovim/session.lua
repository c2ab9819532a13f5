-- A user's session in Neovim, whose init.lua is the code of docs/editors.md. The environment of the folder has the Visual C++
-- libraries where Python doesn't search. SESSION_REAL is the directory of others, SESSION_DAMAGED one that lacks a DLL (SESSION_DELETED).

local TIME_LIMIT = 20000
local venv = vim.fn.getcwd() .. '/.venv'
local complete = vim.env.SESSION_REAL .. '/complete'
local damaged = vim.env.SESSION_DAMAGED
local received = {}
local messages = {}

local function leave(what, ...)
  local lines = { '', 'FAILED: ' .. what }
  for _, detail in ipairs({ ... }) do table.insert(lines, detail) end
  table.insert(lines, 'The server sent:')
  for _, line in ipairs(vim.list_slice(received, math.max(1, #received - 12))) do table.insert(lines, '  ' .. line) end
  table.insert(lines, 'Neovim printed:')
  for _, line in ipairs(messages) do table.insert(lines, '  ' .. line) end
  table.insert(lines, vim.api.nvim_exec('messages', true))
  io.stderr:write(table.concat(lines, '\n') .. '\n')
  vim.cmd('cquit 1')
end

local function equal(what, got, expected)
  if not vim.deep_equal(got, expected) then
    leave(what, 'expected: ' .. vim.inspect(expected), 'got: ' .. vim.inspect(got))
  end
end

-- Waits until `probe` returns something; `state` describes the actual state for a failure.
local function await(what, probe, state)
  local found
  local came = vim.wait(TIME_LIMIT, function()
    found = probe()
    return found ~= nil and found ~= false
  end, 20)
  if not came then
    leave('waited for ' .. what, state and ('instead: ' .. vim.inspect(state())) or nil)
  end
  io.stdout:write('# ' .. what .. '\n')
  return found
end

local function text() return vim.api.nvim_buf_get_lines(0, 0, -1, false) end

-- The part of a diagnostic that an editor shows.
local function shown(diagnostic)
  local lsp = diagnostic.user_data and diagnostic.user_data.lsp or {}
  return {
    range = { diagnostic.lnum, diagnostic.col, diagnostic.end_lnum, diagnostic.end_col },
    code = diagnostic.code or lsp.code,
    severity = vim.diagnostic.severity[diagnostic.severity],
    source = diagnostic.source,
  }
end

local function diagnostics() return vim.tbl_map(shown, vim.diagnostic.get(0)) end

local function await_diagnostics(what, expected)
  await(what, function() return vim.deep_equal(diagnostics(), expected) end, diagnostics)
end

local function broken(code, line)
  return { { range = { line, 7, line, 17 }, code = code, severity = 'ERROR', source = 'WhyDLL' } }
end

local function server()
  local get = vim.lsp.get_clients or vim.lsp.get_active_clients
  return vim.tbl_filter(function(client) return client.name == 'whydll' end, get())[1]
end

-- Keeps every message of the server for the report of a failure, and the health for the test.
local health
local function listen(client)
  for method, handler in pairs({
    ['whydll/health'] = client.handlers['whydll/health'],
    ['textDocument/publishDiagnostics'] = vim.lsp.handlers['textDocument/publishDiagnostics'],
    ['window/showMessage'] = vim.lsp.handlers['window/showMessage'],
    ['window/logMessage'] = vim.lsp.handlers['window/logMessage'],
  }) do
    client.handlers[method] = function(fault, result, ...)
      table.insert(received, method .. ' ' .. vim.fn.json_encode(result or vim.NIL):sub(1, 300))
      if method == 'whydll/health' then health = result end
      return handler(fault, result, ...)
    end
  end
end

local function await_health(state, python)
  await('health ' .. state .. ' of ' .. python, function()
    return health and health.state == state and vim.startswith(health.interpreter or '', python)
  end, function() return health end)
  equal('the health in the status line variable', vim.g.whydll_health, state)
  local line = vim.api.nvim_eval_statusline(vim.o.statusline, {}).str
  equal('the end of the status line', line:sub(-#state), state)
end

local function session()
  vim.notify = function(message) table.insert(messages, message) end

  local client = await('the server to be attached to the buffer', function()
    local client = server()
    return client and vim.lsp.buf_is_attached(0, client.id) and client
  end)
  listen(client)
  local documentation = table.concat(vim.fn.readfile(vim.env.SESSION_DOCUMENTATION), '\n')
  for _, command in ipairs(client.server_capabilities.executeCommandProvider.commands) do
    equal(command .. ' is in docs/editors.md', documentation:find('| `' .. command .. '` |', 1, true) ~= nil, true)
  end
  await_diagnostics('the squiggle under tensorflow', broken('not-on-search-path', 1))
  local message = vim.diagnostic.get(0)[1].message
  equal('the message names the DLL: ' .. message, message:lower():find('msvcp140', 1, true) ~= nil, true)

  health = nil
  vim.cmd('WhyDLLCheck')
  await('the check to begin', function() return health and health.state == 'checking' end, function() return health end)
  await_health('broken', venv)

  -- The light bulb: records the offered fixes, and chooses the edit.
  local offered
  vim.ui.select = function(items, options, choose)
    offered = vim.tbl_map(options.format_item or tostring, items)
    for i, item in ipairs(items) do
      local action = item.action or item[2]
      if action.edit then return choose(item, i) end
    end
    choose(nil)
  end
  vim.api.nvim_win_set_cursor(0, { 2, 7 })
  vim.lsp.buf.code_action()
  await('the quick fix to be applied', function() return #text() == 3 end, function() return { offered, text() } end)
  equal('the text after the quick fix', text(), {
    'import os',
    'os.add_dll_directory(r"' .. venv .. '/extra")',
    'import tensorflow as tf',
  })
  await_diagnostics('the squiggle to disappear, because the fix helps', {})
  vim.cmd('undo')
  equal('the text after undo', text(), { 'import os', 'import tensorflow as tf' })
  await_diagnostics('the squiggle to return', broken('not-on-search-path', 1))

  -- The hover, in Neovim's floating window.
  vim.api.nvim_win_set_cursor(0, { 2, 8 })
  vim.lsp.buf.hover()
  local floating = await('the hover', function()
    for _, window in ipairs(vim.api.nvim_list_wins()) do
      if vim.api.nvim_win_get_config(window).relative ~= '' then return window end
    end
  end)
  local hover = table.concat(vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(floating), 0, -1, false), '\n')
  for _, fact in ipairs({ 'tensorflow', '2.3.0', venv }) do
    equal('the hover names ' .. fact .. ': ' .. hover, hover:find(fact, 1, true) ~= nil, true)
  end
  vim.api.nvim_win_close(floating, true)

  -- Another interpreter and another machine, through the settings.
  local function configure(changed)
    for name, value in pairs(changed) do client.config.settings.whydll[name] = value end
    if client.settings then client.settings = client.config.settings end
    client.rpc.notify('workspace/didChangeConfiguration', { settings = client.config.settings })
  end
  configure({ interpreter = complete, host = 'windows-11+vcredist' })
  await_diagnostics('the settings to be followed', {})
  await_health('healthy', complete)

  -- Another interpreter, through the documented command.
  vim.cmd('WhyDLLInterpreter ' .. damaged)
  await_health('broken', damaged)
  await_diagnostics('the chosen interpreter to be followed', broken('damaged-install', 1))
  equal('the file is put back', vim.loop.fs_rename(damaged .. '/away', vim.env.SESSION_DELETED), true)
  await_diagnostics('the squiggle to disappear by itself when the DLL is back', {})
  await_health('healthy', damaged)
  configure({ interpreter = venv })
  await_health('healthy', venv)

  vim.fn.writefile({ 'passed' }, vim.env.SESSION_PASSED)
  vim.cmd('qall!')
end

local fine, fault = xpcall(session, debug.traceback)
if not fine then leave('the session', fault) end
