// What npm's packages say: AWS's language service and asl-validator of definitions, and jsonata
// 2.0.6, which Step Functions names as its reference, of evaluations. Reads a question as JSON from
// the standard input, {"definitions": {name: yaml}, "evaluations": [...]}, and writes the answers.

const crypto = require('crypto')
const fs = require('fs')
const jsonata = require('jsonata')
const validator = require('asl-validator')
const service = require('amazon-states-language-service')

async function found(name, text, graph) {
  const document = service.TextDocument.create(`file:///${name}.asl.yaml`, 'asl-yaml', 1, text)
  const yaml = service.getYamlLanguageService({})
  const said = await yaml.doValidation(document, yaml.parseJSONDocument(document))
  const { errors } = validator(graph, { checkPaths: true, checkArn: true })
  return [
    ...said.map(problem => `language service, line ${problem.range.start.line + 1}: ${problem.message}`),
    ...errors.map(problem => `asl-validator: ${JSON.stringify(problem)}`)
  ]
}

const programs = new Map()

async function evaluated({ text, variables, millis }) {
  try {
    if (!programs.has(text)) programs.set(text, jsonata(text))
    const value = await programs.get(text).evaluate(undefined, {
      ...variables,
      millis: () => millis,
      now: () => new Date(millis).toISOString(),
      hash: (text, algorithm) => crypto.createHash(algorithm.replace('-', '').toLowerCase()).update(text).digest('hex'),
      parse: json => JSON.parse(json)
    })
    return value === undefined ? { failed: 'undefined' } : { value }
  } catch (error) {
    return { failed: error.message }
  }
}

async function main() {
  const asked = JSON.parse(fs.readFileSync(0, 'utf-8'))
  const definitions = {}
  for (const [name, { text, graph }] of Object.entries(asked.definitions || {})) {
    definitions[name] = await found(name, text, graph)
  }
  const evaluations = []
  for (const evaluation of asked.evaluations || []) evaluations.push(await evaluated(evaluation))
  process.stdout.write(JSON.stringify({ definitions, evaluations }))
}

main()
