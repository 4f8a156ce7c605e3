-- Between the notebooks' Markdown and the two documents: numbers for figures, tables and equations, references to
-- them, folded code, and for the page KaTeX and inline SVG. Conventions are in report/README.md.

local html = FORMAT:match 'html' ~= nil
local typst = FORMAT == 'typst'
local captions = {} -- identifier -> inlines, the label first
local known = {} -- identifiers that a reference may lead to

-- <a id="fig-x"></a>**Figure 1.2.** … at the beginning of a paragraph is the caption of the figure x
local function caption_of(para)
  local first = para.content[1]
  local identifier = first and first.t == 'RawInline' and first.text:match '^<a id="([ft][ib][gl]%-[^"]+)">$'
  if not identifier then return nil end
  local label = para.content[3]
  if not (label and label.t == 'Strong') then error('the caption of ' .. identifier .. ' begins without its number in bold') end
  if captions[identifier] then error('two captions are called ' .. identifier) end
  para.content:remove(1)
  para.content:remove(1)
  if html then para.content[1] = pandoc.Span(label.content, { class = 'label' }) end
  captions[identifier] = para.content
  return {}
end

local function captioned(identifier)
  if identifier == '' then return nil end
  if known[identifier] then error('two things are called ' .. identifier) end
  if not captions[identifier] then error(identifier .. ' has no caption; report/README.md says how to write one') end
  known[identifier] = true
  return pandoc.Caption { pandoc.Plain(captions[identifier]) }
end

-- After all figures, tables and texts: whose caption is left over?
local function all_captions_used()
  for identifier in pairs(captions) do
    if not known[identifier] then error('there is a caption of ' .. identifier .. ', which is not shown') end
  end
end

local function read(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read 'a'
  file:close()
  return text
end

local function escaped(text)
  return (text:gsub('[&<>"]', { ['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;', ['"'] = '&quot;' }))
end

-- An SVG file as part of the page; its identifiers get a prefix, because a page has several.
local function inline_svg(image, identifier)
  local svg = read(image.src):gsub('^.-(<svg)', '%1')
  svg = svg:gsub(' id="', ' id="' .. identifier .. '-'):gsub('href="#', 'href="#' .. identifier .. '-')
  svg = svg:gsub('url%(#', 'url(#' .. identifier .. '-')
  local alt = escaped(pandoc.utils.stringify(image.caption))
  local values = svg:find '<metadata class="curves">' and '<p class="values">Point at the curves, or go along them with the arrow keys, to read their values.</p>' or ''
  return pandoc.RawInline('html', '<svg role="img" aria-label="' .. alt .. '"' .. svg:sub(5) .. values)
end

local function Figure(figure)
  figure.caption = captioned(figure.identifier) or pandoc.Caption {}
  local inlined = figure:walk {
    Image = function(image)
      if html and image.src:match '%.svg$' then return inline_svg(image, figure.identifier) end
    end,
  }
  return inlined, false
end

local function Table(tbl)
  if tbl.identifier == '' then return nil end
  tbl.caption = captioned(tbl.identifier)
  local label = pandoc.utils.stringify(captions[tbl.identifier][1])
  if html then return pandoc.Div({ tbl }, pandoc.Attr('', { 'wide' }, { { 'role', 'region' }, { 'aria-label', label } })), false end
  return tbl, false
end

-- ::: {#fig-x .texts} blocks :::  is a figure whose content is text
local function texts(div)
  local caption = captioned(div.identifier) or pandoc.Caption {}
  if typst then
    local shown = { pandoc.RawBlock('typst', '#textfigure(<' .. div.identifier .. '>, caption: [') }
    for _, block in ipairs(caption.long) do table.insert(shown, block) end
    table.insert(shown, pandoc.RawBlock('typst', '])['))
    for i = 1, #div.content, 2 do
      table.insert(shown, pandoc.RawBlock('typst', '#labelled['))
      table.insert(shown, div.content[i])
      table.insert(shown, pandoc.RawBlock('typst', ']['))
      table.insert(shown, div.content[i + 1])
      table.insert(shown, pandoc.RawBlock('typst', ']'))
    end
    table.insert(shown, pandoc.RawBlock('typst', ']'))
    return shown
  end
  return pandoc.Figure(div.content, caption, pandoc.Attr(div.identifier, { 'texts' }))
end

local function folded(div)
  if typst then return {} end
  return {
    pandoc.RawBlock('html', '<details class="code"><summary>Code</summary>'),
    div,
    pandoc.RawBlock('html', '</details>'),
  }
end

-- What only the curious want: cells that follow one another are folded as one; the paper has none of it
local function page_only(blocks)
  local kept, open = pandoc.Blocks {}, false
  for _, block in ipairs(blocks) do
    local curious = block.t == 'Div' and block.classes:includes 'page-only'
    if html and curious ~= open then
      local tag = curious and '<details class="more"><summary>More on this</summary>' or '</details>'
      kept:insert(pandoc.RawBlock('html', tag))
      open = curious
    end
    if not curious then kept:insert(block) elseif html then kept:extend(block.content) end
  end
  if open then kept:insert(pandoc.RawBlock('html', '</details>')) end
  return kept
end

-- Cells that follow one another without an output between them are folded as one
local function Blocks(blocks)
  local merged = pandoc.Blocks {}
  for _, block in ipairs(blocks) do
    local last = merged[#merged]
    local both = last and last.t == 'Div' and block.t == 'Div'
    if both and last.classes:includes 'code' and block.classes:includes 'code' then
      last.content:extend(block.content)
    else
      merged:insert(block)
    end
  end
  return merged
end

-- ::: {.trainer files="…"} ::: is the trainer, with what files have packed in it; paper has none. The first ::: {.sampler}
-- is the sampler; a later one lends it what files have more, and leads to it
local lent = {}
local function interactive(div, name)
  if typst then return {} end
  local scripts = ''
  for file in div.attributes.files:gmatch '%S+' do
    if not lent[file] then
      local packed = read(file):gsub('<', '\\u003c')
      scripts = scripts .. '<script type="application/json" class="packed">' .. packed .. '</script>'
    end
    lent[file] = true
  end
  if name == 'trainer' then scripts = scripts .. '<script type="application/wasm"></script>' end
  if lent[name] then return pandoc.RawBlock('html', '<p class="lent">Draw from it in <a href="#sampler">the sampler</a> of this page.</p>' .. scripts) end
  lent[name] = true
  local section = read('web/' .. name .. '.html'):gsub('</section>%s*$', function() return scripts .. '</section>' end)
  return pandoc.RawBlock('html', section)
end

-- where the abstract's numbers come from; in the paper, which has no links to it, the label would take that of the table before
local function Span(span)
  if typst and span.classes:includes 'result' then return {} end
end

local function Div(div)
  -- `false`: what comes back is not walked through again
  if div.classes:includes 'texts' then return texts(div), false end
  if div.classes:includes 'sampler' then return interactive(div, 'sampler'), false end
  if div.classes:includes 'trainer' then return interactive(div, 'trainer'), false end
  if div.classes:includes 'code' then return folded(div), false end
end

-- $$ … \tag{n} $$, alone or at the end of a paragraph, is equation n
local function Math(math)
  local n = math.text:match '\\tag{(%w+)}'
  if not n or math.mathtype ~= 'DisplayMath' then return nil end
  known['eq-' .. n] = true
  if typst then
    math.text = math.text:gsub('%s*\\tag{%w+}%s*$', '')
    return { pandoc.RawInline('typst', '#tagged("' .. n .. '", '), math, pandoc.RawInline('typst', ') <eq-' .. n .. '>') }
  end
  return pandoc.Span({ math }, { id = 'eq-' .. n })
end

-- Within the report a link to another notebook, or to something in it, is a link to that chapter, or that thing
local function Link(link)
  local notebook, place = link.target:match '^([%w_]+)%.ipynb#?(.*)$'
  if notebook then link.target = '#' .. (place ~= '' and place or 'chapter-' .. notebook) end
  local identifier = link.target:match '^#(.+)$'
  if identifier and not known[identifier] then error('a reference leads nowhere: ' .. link.target) end
  return link
end

local function Header(header)
  known[header.identifier] = true
end

-- the anchors are for Jupyter; here what they stand for has the identifier itself
local function RawInline(raw)
  if raw.format == 'html' and (raw.text:match '^<a id="' or raw.text == '</a>') then return {} end
end

-- A comma or a full stop stays on the line of the formula before it
local function Inlines(inlines)
  for i = #inlines - 1, 1, -1 do
    local math, next = inlines[i], inlines[i + 1]
    if math.t == 'Math' and math.mathtype == 'InlineMath' and next.t == 'Str' then
      inlines[i] = pandoc.Span({ math, next }, { class = 'together' })
      inlines:remove(i + 1)
    end
  end
  return inlines
end

local function in_katex(doc)
  local formulas = {}
  doc:walk { Math = function(math)
    table.insert(formulas, { text = math.text, display = math.mathtype == 'DisplayMath' })
  end }
  if #formulas == 0 then return doc end
  local rendered = pandoc.json.decode(pandoc.pipe('node', { 'report/katex.mjs' }, pandoc.json.encode(formulas)), false)
  local index = 0
  return doc:walk { Math = function()
    index = index + 1
    return pandoc.RawInline('html', rendered[index])
  end }
end

return {
  { Pandoc = function(doc) doc.blocks = page_only(doc.blocks); return doc end },
  { Para = caption_of },
  { Blocks = Blocks, RawInline = RawInline },
  { traverse = 'topdown', Figure = Figure, Table = Table, Div = Div }, -- in the order of the document
  { Pandoc = all_captions_used, Math = Math, Header = Header },
  { Link = Link, Span = Span },
  html and { Inlines = Inlines } or {},
  { Pandoc = function(doc) if html then return in_katex(doc) end end },
}
