import type { Devices } from '../../operations/devices.js';
import { readParameters, tellAs, toAnswer, type WholeOperation } from '../operation.js';

/** `GET /tightbeam/v1/devices/{clientId}`: what is known of one device, as `tightbeam device` prints it. */
export function describeDevice(devices: Devices): WholeOperation {
  return {
    method: 'GET',
    path: '/tightbeam/v1/devices/:clientId',
    labelFault: 'INVALID_CLIENT_ID',
    refused: tellAs('DescribeDevice', ({ labels }) => ({ clientId: labels['clientId'] })),
    async answer(request) {
      readParameters(request, { query: [] });
      const { clientId = '' } = request.labels;
      return toAnswer(await devices.describe(request, clientId, request.withdrawal()), (device) => device);
    },
  };
}
